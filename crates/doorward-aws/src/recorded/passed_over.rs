//! Files of a recording that are not read: what they are, and what would be read instead.

use std::fmt;
use std::path::{Path, PathBuf};

use doorward_core::inventory::Call;

use super::piece::Names;
use super::{files, keys, refusal};

/// A file that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    pub path: PathBuf,
    /// What it is.
    pub kind: Unread,
}

/// What a file is that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each says in words below what it is")]
pub enum Unread {
    Empty,
    Yaml,
    Compressed,
    Table,
    Csv,
    CamelCase,
    SnakeCase,
    ConfigSnapshot,
    TerraformState,
    TerraformPlan,
    TerraformConfiguration,
    CloudFormation,
    ScoutSuite,
    NoAnswerOf(Call),
    NoList(&'static str),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const RECORD: &str = "record with `aws … --output json`, or with `doorward inventory save`";
        match self {
            Self::Empty => write!(f, "empty: the command that wrote it failed or was interrupted; {RECORD}"),
            Self::Yaml => write!(f, "YAML, which is not read; {RECORD}"),
            Self::Compressed => f.write_str("compressed, which is not read; unpack it"),
            Self::Table => write!(f, "text or a table as the AWS CLI prints it, which is not read; {RECORD}"),
            Self::Csv => write!(f, "CSV, which is not read; {RECORD}"),
            Self::CamelCase => {
                write!(
                    f,
                    "output with names like `vpcId`, as some SDKs write them, instead of `VpcId`; {RECORD}"
                )
            }
            Self::SnakeCase => {
                write!(
                    f,
                    "rows with names like `vpc_id`, as Steampipe writes them, instead of `VpcId`; {RECORD}"
                )
            }
            Self::ConfigSnapshot => write!(f, "a snapshot of AWS Config, which is not read; {RECORD}"),
            Self::TerraformState => write!(f, "a Terraform state, which is not read; {RECORD}"),
            Self::TerraformPlan => write!(f, "a Terraform plan, which is not read; {RECORD}"),
            Self::TerraformConfiguration => write!(f, "Terraform configuration, which is not read; {RECORD}"),
            Self::CloudFormation => write!(f, "a CloudFormation template, which is not read; {RECORD}"),
            Self::ScoutSuite => write!(f, "a report of ScoutSuite, which is not read; {RECORD}"),
            Self::NoList(key) => write!(f, "without a list under its `{key}`; {RECORD}"),
            Self::NoAnswerOf(call) => {
                write!(f, "named for {} but has no output of it; record the whole output", call.action())
            }
        }
    }
}

/// How many files of a kind are named before the rest is counted.
const NAMED: usize = 3;

/// A line for each file, and for many of a kind one line.
pub fn lines(files: &[PassedOver]) -> Vec<String> {
    let mut kinds: Vec<Unread> = files.iter().map(|file| file.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut lines = Vec::new();
    for kind in kinds {
        let of: Vec<String> = files
            .iter()
            .filter(|file| file.kind == kind)
            .map(|file| file.path.display().to_string())
            .collect();
        match of.as_slice() {
            [] => {}
            some if some.len() <= NAMED => {
                lines.extend(some.iter().map(|path| format!("{path} is {kind}")));
            }
            many => {
                let named = many.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
                lines.push(format!("{named} and {} more: each is {kind}", many.len() - NAMED));
            }
        }
    }
    lines
}

/// What a file is that does not hold JSON, by its first bytes and its name; nothing for one that nobody takes for a
/// recording.
pub(super) fn other_than_json(path: &Path, head: &[u8]) -> Option<Unread> {
    const PACKED: [&[u8]; 6] =
        [b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"];
    let has = |endings: &[&str]| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        ending.is_some_and(|ending| endings.contains(&ending.as_str()))
    };
    if PACKED.iter().any(|magic| head.starts_with(magic))
        || has(&["gz", "zip", "bz2", "xz", "zst", "7z", "tgz"])
    {
        return Some(Unread::Compressed);
    }
    if has(&["tf", "hcl"]) {
        return Some(Unread::TerraformConfiguration);
    }
    let text = files::utf8(head);
    let text = String::from_utf8_lossy(&text);
    let text = text.trim_start();
    if text.is_empty() {
        let is_meant = has(&["json"]) || refusal::named(path).is_some();
        return is_meant.then_some(Unread::Empty);
    }
    if text.starts_with("scoutsuite_results") {
        return Some(Unread::ScoutSuite);
    }
    let first = text.lines().next().unwrap_or_default();
    if text.contains("AWSTemplateFormatVersion") {
        return Some(Unread::CloudFormation);
    }
    let is_key = |line: &str| {
        let name = line.trim_end().strip_suffix(':');
        name.is_some_and(|name| keys::known(name).is_some_and(|key| key.name == name))
    };
    let is_named = refusal::named(&path.with_extension("")).is_some() || keys::known(&stem(path)).is_some();
    if has(&["yaml", "yml"]) && (is_named || text.lines().any(is_key)) || text.lines().take(3).any(is_key) {
        return Some(Unread::Yaml);
    }
    if first.starts_with("---") && text.contains("\n|") || first.starts_with('+') && text.contains("\n|") {
        return Some(Unread::Table);
    }
    let (word, rest) = first.split_once('\t').unwrap_or((first, ""));
    if !rest.is_empty() && keys::is_heading(word) {
        return Some(Unread::Table);
    }
    (has(&["csv", "tsv"]) && is_named).then_some(Unread::Csv)
}

/// A file's name without its ending.
fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What an object is that is no answer, by its fields.
pub(super) fn other_than_an_answer(names: &Names<'_>) -> Option<Unread> {
    const OF_A_TEMPLATE: [&str; 6] =
        ["Parameters", "Conditions", "Outputs", "Mappings", "Transform", "Metadata"];
    if names.has("terraform_version") || (names.has("lineage") && names.has("serial")) {
        let is_plan = names.has_any(&["resource_changes", "planned_values"]);
        return Some(if is_plan { Unread::TerraformPlan } else { Unread::TerraformState });
    }
    if names.has("AWSTemplateFormatVersion") || (names.has("Resources") && names.has_any(&OF_A_TEMPLATE)) {
        return Some(Unread::CloudFormation);
    }
    if names.has("configurationItems") || (names.has("configurationItemStatus") && names.has("configuration"))
    {
        return Some(Unread::ConfigSnapshot);
    }
    keys::in_another_spelling(names)
}
