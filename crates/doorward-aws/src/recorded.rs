//! Reads a folder of recorded answers, as `aws ec2 describe-security-groups > groups.json` leaves them.
//!
//! A file is recognised by its top-level key and not by its name, and may be wrapped as `{"data": …}`. Below
//! `accounts/ID/REGION/` the folder says which Region the answers are from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use doorward_core::inventory::{Direction, Gap, Inventory, Place, SecurityGroup, SecurityGroupId};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::operation::{GroupsAnswer, RulesAnswer};
use crate::reading::{self, Unreadable};

/// A folder that holds no account.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The folder or a file in it cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not JSON, or not the answer that its key says it is.
    #[error("{} is not an answer as the AWS CLI writes it", path.display())]
    NotAnAnswer {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Nothing in the folder tells of security groups.
    #[error("{} holds no recorded answer of `aws ec2 describe-security-groups`", .0.display())]
    Empty(PathBuf),
}

/// How deep a folder is searched: `accounts/ID/REGION/FILE`, in a folder or two of one's own.
const DEEPEST: usize = 6;

/// The account that a folder holds.
///
/// Where only groups are recorded and not their rules, the rules are there without ids and tags: they can be
/// reasoned about, and nobody owns them.
pub fn recorded(folder: &Path) -> Result<Inventory, NotRecorded> {
    let mut files = Vec::new();
    json_files(folder, DEEPEST, &mut files)?;
    let mut account = Recording::default();
    for path in files {
        account.read(&path)?;
    }
    if account.groups.is_empty() {
        return Err(NotRecorded::Empty(folder.to_owned()));
    }
    Ok(account.inventory())
}

/// Every JSON file, in the order of the paths, so that the same folder is always the same account.
fn json_files(folder: &Path, deep: usize, files: &mut Vec<PathBuf>) -> Result<(), NotRecorded> {
    let unreadable = |source| NotRecorded::Unreadable { path: folder.to_owned(), source };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if deep > 1 {
                json_files(&path, deep - 1, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

#[derive(Default)]
struct Recording {
    groups: BTreeMap<SecurityGroupId, SecurityGroup>,
    /// Rules that the groups themselves tell of.
    permissions: BTreeMap<SecurityGroupId, SecurityGroup>,
    /// Groups whose rules were recorded by themselves.
    described: Vec<SecurityGroup>,
    gaps: Vec<Gap>,
}

impl Recording {
    fn read(&mut self, path: &Path) -> Result<(), NotRecorded> {
        let bytes = std::fs::read(path)
            .map_err(|source| NotRecorded::Unreadable { path: path.to_owned(), source })?;
        let not_an_answer = |source| NotRecorded::NotAnAnswer { path: path.to_owned(), source };
        let mut value: Value = serde_json::from_slice(&bytes).map_err(not_an_answer)?;
        if let Some(data) = value.get_mut("data") {
            value = data.take();
        }
        let place = place(path);
        if value.get("SecurityGroups").is_some() {
            let answer: GroupsAnswer = answer(value).map_err(not_an_answer)?;
            self.groups(answer, &place);
        } else if value.get("SecurityGroupRules").is_some() {
            let answer: RulesAnswer = answer(value).map_err(not_an_answer)?;
            self.rules(answer, &place);
        }
        Ok(())
    }

    fn groups(&mut self, answer: GroupsAnswer, place: &Place) {
        for shape in &answer.groups.0 {
            let group = match reading::group(shape, place) {
                Ok(group) => group,
                Err(why) => {
                    self.gap("ec2:DescribeSecurityGroups", place, &shape.id, &why);
                    continue;
                }
            };
            let mut with_rules = group.clone();
            let inward = reading::permissions(&shape.ingress.0, Direction::In);
            let outward = reading::permissions(&shape.egress.0, Direction::Out);
            for rule in inward.chain(outward) {
                match rule {
                    Ok((identity, rule)) => {
                        with_rules.rules.insert(identity, rule);
                    }
                    Err(why) => self.gap("ec2:DescribeSecurityGroups", place, &shape.id, &why),
                }
            }
            self.permissions.insert(group.id.clone(), with_rules);
            self.groups.insert(group.id.clone(), group);
        }
    }

    fn rules(&mut self, answer: RulesAnswer, place: &Place) {
        for shape in &answer.rules.0 {
            let group = shape.group.parse::<SecurityGroupId>().map_err(Unreadable::from);
            match group.and_then(|group| Ok((group, reading::rule(shape)?))) {
                Ok((id, (identity, rule))) => {
                    let mut group = reading::unnamed(id, place);
                    group.rules.insert(identity, rule);
                    self.described.push(group);
                }
                Err(why) => self.gap("ec2:DescribeSecurityGroupRules", place, &shape.group, &why),
            }
        }
    }

    fn gap(&mut self, call: &str, place: &Place, what: &str, why: &Unreadable) {
        self.gaps.push(Gap {
            call: call.to_owned(),
            place: place.clone(),
            groups: Vec::new(),
            why: format!("something of {what} cannot be read: {why}"),
        });
    }

    fn inventory(mut self) -> Inventory {
        let by_themselves = !self.described.is_empty();
        for described in self.described {
            if let Some(group) = self.groups.get_mut(&described.id) {
                group.rules.extend(described.rules);
            }
        }
        let groups = if by_themselves { self.groups } else { self.permissions };
        Inventory { groups, gaps: self.gaps, ..Inventory::default() }
    }
}

fn answer<A: DeserializeOwned>(value: Value) -> Result<A, serde_json::Error> {
    serde_json::from_value(value)
}

/// The Region in `accounts/ID/REGION/`, where the path has that.
fn place(path: &Path) -> Place {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let region = parts.windows(3).find_map(|window| match *window {
        ["accounts", _, region] => Some(region),
        _ => None,
    });
    Place { profile: None, region: region.map(str::to_owned), account: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
        folder
    }

    const GROUPS: &str = r#"{"SecurityGroups": [{"GroupId": "sg-0a", "GroupName": "clients", "Description": "d",
        "OwnerId": "123456789012", "VpcId": "vpc-0a", "Tags": null, "IpPermissionsEgress": null,
        "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId":
        "sg-0b", "UserId": "123456789012"}], "IpRanges": [{"CidrIp": "198.51.100.9/32", "Description": "office"}],
        "Ipv6Ranges": [], "PrefixListIds": [{"PrefixListId": "pl-0a"}]}, {"IpProtocol": "-1", "IpRanges": [],
        "UserIdGroupPairs": [{"GroupId": "sg-0a"}]}]}]}"#;
    const RULES: &str = r#"{"data": {"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-0a", "GroupId": "sg-0a",
        "IsEgress": false, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "198.51.100.9/32",
        "Description": "office", "Tags": [{"Key": "doorward", "Value": "3f9c2a1b"}]},
        {"SecurityGroupRuleId": "sgr-0b", "GroupId": "sg-0a", "IsEgress": true, "IpProtocol": "-1",
        "FromPort": -1, "ToPort": -1, "CidrIpv6": "::/0", "Description": null, "Tags": []}]}}"#;

    fn rules(inventory: &Inventory) -> Vec<String> {
        let rules = inventory.groups.values().flat_map(|group| group.rules.keys());
        rules.map(ToString::to_string).collect()
    }

    #[test]
    fn files_are_known_by_their_key_whatever_their_name() {
        let folder = folder(&[("a.json", RULES), ("z/b.json", GROUPS), ("c.json", r#"{"Vpcs": []}"#)]);
        let account = recorded(folder.path()).expect("an account");
        assert_eq!(rules(&account), ["tcp/22 from 198.51.100.9/32", "all to ::/0"]);
        let group = account.groups.values().next().expect("a group");
        assert_eq!(group.place, Place::default());
        assert_eq!(group.vpc.as_ref().map(ToString::to_string).as_deref(), Some("vpc-0a"));
        let office = group.rules.values().next().expect("a rule");
        assert_eq!(office.tag.as_deref(), Some("3f9c2a1b"));
        assert_eq!(account.gaps, []);
    }

    #[test]
    fn groups_alone_tell_their_rules_without_ids() {
        let folder = folder(&[("accounts/123456789012/eu-west-1/g.json", GROUPS)]);
        let account = recorded(folder.path()).expect("an account");
        assert_eq!(
            rules(&account),
            ["all from sg-0a", "tcp/22 from 198.51.100.9/32", "tcp/22 from sg-0b", "tcp/22 from pl-0a"]
        );
        let group = account.groups.values().next().expect("a group");
        assert_eq!(group.place.region.as_deref(), Some("eu-west-1"));
        assert!(group.rules.values().all(|rule| rule.id.is_none()));
    }

    #[test]
    fn what_is_no_account_is_refused() {
        let check = |files: &[(&str, &str)], expected: &str| {
            let folder = folder(files);
            let error = recorded(folder.path()).expect_err("no account").to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(&[], "holds no recorded answer");
        check(&[("a.json", "{")], "a.json is not an answer");
        check(&[("a.json", r#"{"SecurityGroups": [{"GroupName": "x"}]}"#)], "a.json is not an answer");
        check(&[("a.json", r#"{"Vpcs": []}"#), ("b.txt", "x")], "holds no recorded answer");
        assert!(matches!(recorded(Path::new("/nowhere")), Err(NotRecorded::Unreadable { .. })));
    }

    #[test]
    fn what_cannot_be_read_is_a_gap_that_blocks_nothing() {
        let odd = GROUPS.replace("\"-1\"", "\"carrier-pigeon\"");
        let folder = folder(&[("a.json", &odd)]);
        let account = recorded(folder.path()).expect("an account");
        assert_eq!(account.gaps.len(), 1);
        assert!(account.gaps.iter().all(|gap| gap.groups.is_empty()), "{:?}", account.gaps);
    }
}
