//! Terraform's language, laid out as `terraform fmt` does.

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hcl {
    Text(String),
    Number(i64),
    Bool(bool),
    /// A reference, like `aws_vpc.main.id`.
    Reference(String),
    List(Vec<Hcl>),
    /// Keys with texts, in their order.
    Map(Vec<(String, String)>),
}

impl Hcl {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// On one line, if it fits there.
    fn inline(&self) -> Option<String> {
        Some(match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Reference(reference) => reference.clone(),
            Self::List(items) => {
                let items: Option<Vec<String>> = items.iter().map(Self::inline).collect();
                format!("[{}]", items?.join(", "))
            }
            Self::Map(_) => return None,
        })
    }
}

/// A text in quotation marks, in which nothing is a template.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted.replace("${", "$${").replace("%{", "%%{")
}

/// A block: its head, its attributes, and the blocks in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// Like `resource "aws_vpc" "main"`.
    pub(super) head: String,
    pub(super) attributes: Vec<(&'static str, Hcl)>,
    pub(super) blocks: Vec<Block>,
}

impl Block {
    pub(super) fn write(&self, text: &mut String, indent: usize) {
        let margin = " ".repeat(indent);
        text.push_str(&format!("{margin}{} {{\n", self.head));
        let lines: Vec<(&str, String)> =
            self.attributes.iter().filter_map(|(key, value)| Some((*key, value.inline()?))).collect();
        aligned(text, indent + 2, &lines);
        let mut first = lines.is_empty();
        for (key, value) in &self.attributes {
            let Hcl::Map(pairs) = value else { continue };
            if !std::mem::take(&mut first) {
                text.push('\n');
            }
            text.push_str(&format!("{margin}  {key} = {{\n"));
            let keys: Vec<String> = pairs.iter().map(|(key, _)| map_key(key)).collect();
            let lines: Vec<(&str, String)> =
                keys.iter().map(String::as_str).zip(pairs.iter().map(|(_, value)| quoted(value))).collect();
            aligned(text, indent + 4, &lines);
            text.push_str(&format!("{margin}  }}\n"));
        }
        for block in &self.blocks {
            if !std::mem::take(&mut first) {
                text.push('\n');
            }
            block.write(text, indent + 2);
        }
        text.push_str(&format!("{margin}}}\n"));
    }
}

/// A key of a map: bare where it is an identifier.
fn map_key(key: &str) -> String {
    let bare = key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
    if bare { key.to_owned() } else { quoted(key) }
}

fn aligned(text: &mut String, indent: usize, lines: &[(&str, String)]) {
    let width = lines.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
    for (key, value) in lines {
        text.push_str(&format!("{}{key:width$} = {value}\n", " ".repeat(indent)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_laid_out_as_by_fmt() {
        let block = Block {
            head: "resource \"aws_vpc\" \"main\"".into(),
            attributes: vec![
                ("cidr_block", Hcl::text("10.0.0.0/16")),
                ("id", Hcl::List(vec![Hcl::Reference("a.b".into()), Hcl::Number(1), Hcl::Bool(true)])),
                ("tags", Hcl::Map(vec![("Name".into(), "a \"${b}\"".into()), ("x:y".into(), "%{z}".into())])),
            ],
            blocks: vec![Block {
                head: "lifecycle".into(),
                attributes: vec![("ignore_changes", Hcl::List(vec![Hcl::Reference("ingress".into())]))],
                blocks: Vec::new(),
            }],
        };
        let mut text = String::new();
        block.write(&mut text, 0);
        assert_eq!(
            text,
            "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n  id         = [a.b, 1, true]\n\n  tags = {\n    Name  = \"a \\\"$${b}\\\"\"\n    \"x:y\" = \"%%{z}\"\n  }\n\n  lifecycle {\n    ignore_changes = [ingress]\n  }\n}\n"
        );
    }
}
