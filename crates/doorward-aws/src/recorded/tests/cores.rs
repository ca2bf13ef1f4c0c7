//! Folders of many accounts, whose files are read at once.

use super::*;

fn vpcs(number: usize) -> String {
    format!(r#"{{"Vpcs": [{{"VpcId": "vpc-{number:08x}", "CidrBlock": "10.{number}.0.0/16"}}]}}"#)
}

/// What is read at once is what is read file by file.
fn check(files: &[(String, String)]) -> Recording {
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let folder = folder(&files);
    let at_once = recording(folder.path()).expect("a recording");
    let mut paths: Vec<(PathBuf, &str)> =
        files.iter().map(|(name, text)| (folder.path().join(name), *text)).collect();
    paths.sort();
    let in_order = recorded_files(paths.iter().map(|(path, text)| (path.as_path(), text.as_bytes())));
    assert_eq!(at_once, in_order.expect("a recording"));
    at_once
}

fn organisation() -> Vec<(String, String)> {
    (0..24)
        .map(|number| {
            let region = ["eu-west-1", "us-east-1"][number % 2];
            let account = 111_111_111_111_u64 + number as u64 / 4;
            (format!("accounts/{account}/{region}/vpcs-{number}.json"), vpcs(number))
        })
        .collect()
}

#[test]
fn accounts_and_regions_are_read_at_once() {
    let mut files = organisation();
    files.push(("gaps.json".to_owned(), r#"{"Gaps": [], "Incomplete": ["sg-0a"]}"#.to_owned()));
    files.push(("accounts/111111111111/eu-west-1/groups.json".to_owned(), GROUPS.to_owned()));
    files.push((
        "accounts/111111111112/eu-west-1/notes.yaml".to_owned(),
        "Vpcs:\n- VpcId: vpc-1\n".to_owned(),
    ));
    files.push(("accounts/111111111114/eu-west-1/empty.json".to_owned(), String::new()));
    let recording = check(&files);
    assert_eq!(recording.inventory.vpcs.len(), 24);
    let account_regions: BTreeSet<String> =
        recording.inventory.vpcs.values().map(|vpc| vpc.account_region.to_string()).collect();
    assert_eq!(account_regions.len(), 12);
    assert_eq!(recording.inventory.incomplete_groups.len(), 1);
}

#[test]
fn a_file_may_tell_of_the_places_of_others() {
    let mut files = organisation();
    // Sorted before, and so contradicted by, the file in the folder of the Region.
    let other = vpcs(0).replace("10.0.0.0", "172.16.0.0");
    let around = format!(r#"{{"eu-west-1": {other}}}"#);
    files.push(("accounts/111111111111/all.json".to_owned(), around));
    let recording = check(&files);
    let gaps: Vec<String> = gaps(&recording.inventory);
    assert!(gaps.iter().any(|gap| gap.contains("contradicts")), "{gaps:?}");
}

#[test]
fn the_first_broken_file_is_named() {
    let mut files = organisation();
    for (name, text) in &mut files {
        if name.contains("vpcs-7") || name.contains("vpcs-20") {
            text.truncate(20);
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let error = recording(folder(&files).path()).expect_err("it is broken");
    assert!(error.to_string().contains("vpcs-7.json"), "{error}");
}
