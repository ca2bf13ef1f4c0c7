//! A list that reads alike from the wire (`<tagSet><item>…</item></tagSet>`) and from the AWS CLI (`[…]`).

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a member is called: `item` by EC2, `member` by the other query services, where the list has no own name for it.
const MEMBERS: &[&str] = &[
    "item",
    "member",
    "CacheCluster",
    "CacheNode",
    "CacheSubnetGroup",
    "DBCluster",
    "DBClusterMember",
    "DBInstance",
    "DBSnapshot",
    "DBSubnetGroup",
    "NodeGroup",
    "ReplicationGroup",
    "SecurityGroupId",
    "Subnet",
    "SubnetId",
    "Tag",
    "VpcSecurityGroupMembership",
];

/// The members; an absent, empty or null list has none.
#[derive(Debug, Clone)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members(PhantomData))
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = seq.next_element()? {
            members.push(member);
        }
        Ok(List(members))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<List<T>, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if MEMBERS.contains(&key.as_str()) {
                members.push(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(List(members))
    }

    fn visit_unit<E: Error>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }

    fn visit_none<E: Error>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        if text.trim().is_empty() {
            Ok(List::default())
        } else {
            Err(E::custom("a text where a list belongs"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tag;
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Answer {
        #[serde(rename = "Tags", alias = "tagSet", default)]
        tags: List<Tag>,
    }

    fn check(answer: Answer, expected: &[&str]) {
        let keys: Vec<&str> = answer.tags.0.iter().map(|tag| tag.key.as_str()).collect();
        assert_eq!(keys, expected);
    }

    #[test]
    fn both_notations_read_alike() {
        let xml = |text: &str| quick_xml::de::from_str::<Answer>(text).expect("an answer");
        let json = |text: &str| serde_json::from_str::<Answer>(text).expect("an answer");
        check(xml("<r xmlns=\"x\"><tagSet/></r>"), &[]);
        check(xml("<r><tagSet>\n </tagSet></r>"), &[]);
        check(xml("<r></r>"), &[]);
        check(
            xml(
                "<r><tagSet>\n<item><key>a</key><value>1</value></item>\n<item><key>b</key><value/></item></tagSet></r>",
            ),
            &["a", "b"],
        );
        check(json(r#"{"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b"}]}"#), &["a", "b"]);
        check(json(r#"{"Tags": null}"#), &[]);
        check(json("{}"), &[]);
    }

    #[test]
    fn half_a_list_is_no_list() {
        for half in ["<r><tagSet><item><key>a</key>", "<r><tagSet><item>", "<r>", ""] {
            assert!(quick_xml::de::from_str::<Answer>(half).is_err(), "{half}");
        }
    }
}
