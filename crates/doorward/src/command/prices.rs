//! `doorward prices`: the prices that plans use, shown, and read from AWS's price list.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use doorward_core::policy::Policy;
use doorward_core::price::{Import, Table, Unimported};
use serde::Serialize;

use super::{Code, Failure, count, json, note, print, table as columns};
use crate::bounded_file;
use crate::policy_file::{self, LoadError};

/// Show or import the prices that plans use
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  doorward prices show eu-west-1
  doorward prices import nat.json --out prices.toml"
)]
pub struct Prices {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "a second text here would be shown instead of the verb's own")]
enum Verb {
    Show(Show),
    Import(ImportPrices),
}

/// Show the prices of a Region, or of all Regions
///
/// Each price has its date, its source and how reliable it is. Prices of the file that `--prices` or the policy names
/// replace those that come with Doorward. A Region or an item without a price has none: the price of another Region
/// is never used for it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward prices show
  doorward prices show eu-west-1
  doorward prices show eu-west-1 --json | jq '.[].usd'")]
struct Show {
    /// The Region
    #[arg(value_name = "REGION")]
    region: Option<String>,
    /// A file with prices; by default that of the policy
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Import prices from AWS's price list into a file
///
/// FILE is a recorded answer of `aws pricing get-products`, or an offer file of AWS's price list, which is read as a
/// stream. The file of --out, by default that of the policy, gets the prices of NAT gateways, public IPv4 addresses,
/// interface endpoints and traffic between zones; prices that it has already and that were not imported stay.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  aws pricing get-products --service-code AmazonEC2 --region us-east-1 \\
    --filters Type=TERM_MATCH,Field=regionCode,Value=eu-west-1 \\
      'Type=TERM_MATCH,Field=productFamily,Value=NAT Gateway' > nat.json
  aws pricing get-products --service-code AmazonVPC --region us-east-1 \\
    --filters Type=TERM_MATCH,Field=regionCode,Value=eu-west-1 > vpc.json
  doorward prices import nat.json vpc.json --out prices.toml")]
struct ImportPrices {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The file to write; by default that of `[prices]` in the policy
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Prices {
    pub fn run(self, policy: &Path) -> Result<(), Failure> {
        match self.verb {
            Verb::Show(verb) => verb.run(policy),
            Verb::Import(verb) => verb.run(policy),
        }
    }
}

/// The prices of a file that is named, or of the policy, over those that come with the program.
pub(super) fn table(named: Option<&Path>, policy: &Policy) -> Result<Table, Failure> {
    let built_in = Table::built_in().map_err(Failure::with(Code::Internal))?;
    let of_policy = policy.prices.as_deref().map(Path::new);
    match named.or(of_policy) {
        Some(file) => Ok(of_file(file)?.over(built_in)),
        None => Ok(built_in),
    }
}

/// The largest table of prices that is read, in bytes; all of AWS's Regions are below 1 MB.
const AT_MOST: u64 = 64 << 20;

fn of_file(file: &Path) -> Result<Table, Failure> {
    let text = bounded_file::input_text(file, AT_MOST).map_err(|error| {
        Failure::of(Code::of_io(&error), &error)
            .context(format!("cannot read the prices `{}`", file.display()))
            .hint("`doorward prices import` writes such a file")
    })?;
    Table::read(&text)
        .map_err(|error| Failure::of(Code::Data, &error).context(format!("`{}`", file.display())))
}

/// The policy, where there is one: prices are shown without.
fn policy_if_any(path: &Path) -> Result<Option<Policy>, Failure> {
    match policy_file::policy_alone(path) {
        Ok(policy) => Ok(Some(policy)),
        Err(LoadError::Unreadable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
struct PriceView<'t> {
    region: &'t str,
    item: String,
    usd: String,
    unit: &'static str,
    sure: &'static str,
    date: &'t str,
    source: &'t str,
}

impl Show {
    fn run(self, path: &Path) -> Result<(), Failure> {
        let policy = policy_if_any(path)?;
        let of_policy = policy.as_ref().and_then(|policy| policy.prices.as_deref()).map(Path::new);
        let built_in = Table::built_in().map_err(Failure::with(Code::Internal))?;
        let table = match self.prices.as_deref().or(of_policy) {
            Some(file) => of_file(file)?.over(built_in),
            None => built_in,
        };
        let regions: Vec<&str> = match &self.region {
            Some(region) if table.prices(region).next().is_none() => {
                let known: Vec<&str> = table.regions().collect();
                let failure = Failure::new(Code::No, format!("the table of prices has nothing for {region}"));
                return Err(failure.hint(format!(
                    "it has {}; `doorward prices import --help` shows how to add a Region",
                    known.join(", ")
                )));
            }
            Some(region) => vec![region],
            None => table.regions().collect(),
        };
        let prices = regions.iter().flat_map(|region| {
            table.prices(region).map(|(item, price)| PriceView {
                region,
                item: item.key().into_owned(),
                usd: price.usd.to_string().replace('$', ""),
                unit: item.unit(),
                sure: price.sure.word(),
                date: &price.date,
                source: &price.source,
            })
        });
        let prices: Vec<PriceView<'_>> = prices.collect();
        if self.json {
            return print(&json(&prices)?);
        }
        let rows = prices.into_iter().map(|it| {
            let usd = format!("${}", it.usd);
            vec![
                it.region.into(),
                it.item,
                usd,
                it.unit.into(),
                it.date.into(),
                it.sure.into(),
                it.source.into(),
            ]
        });
        let titles = ["REGION", "ITEM", "USD", "PER", "DATE", "SURE", "SOURCE"];
        print(&columns(&titles, rows.collect()))
    }
}

impl ImportPrices {
    fn run(self, path: &Path) -> Result<(), Failure> {
        let out = match self.out {
            Some(out) => out,
            None => policy_if_any(path)?.and_then(|policy| policy.prices).map(PathBuf::from).ok_or_else(|| {
                let failure = Failure::new(Code::Usage, "neither `--out` nor the policy names a file for the prices");
                failure.hint("name it with `--out prices.toml`, and in the policy with `[prices]` and `file = \"prices.toml\"`")
            })?,
        };
        let mut import = Import::default();
        for file in &self.files {
            let name = file.display().to_string();
            let input = File::open(file).map_err(|error| {
                Failure::of(Code::of_io(&error), &error).context(format!("cannot read `{name}`"))
            })?;
            import
                .read(&name, BufReader::with_capacity(1 << 16, input))
                .map_err(|error| unimported(&name, &error))?;
        }
        for line in import.notes() {
            note(&format!("note: {line}"));
        }
        if import.table().is_empty() {
            let failure = Failure::new(
                Code::Data,
                "the files have no price that Doorward uses, so nothing was written",
            );
            return Err(failure.hint("`doorward prices import --help` shows which products to record"));
        }
        let before = if out.exists() { of_file(&out)? } else { Table::default() };
        let imported: usize =
            import.table().regions().map(|region| import.table().prices(region).count()).sum();
        let regions = import.table().regions().count();
        let table = import.table().clone().over(before);
        write(&out, &format!("{HEAD}{table}"))?;
        print(&format!(
            "{}: {} of {}\n",
            out.display(),
            count(imported, "price", "prices"),
            count(regions, "Region", "Regions")
        ))
    }
}

const HEAD: &str = "\
# Prices in US dollars, on demand, without taxes and free tiers, as `doorward prices import` read them.
# A price that is not here is taken from the table that comes with Doorward.

";

fn unimported(name: &str, error: &Unimported) -> Failure {
    let code = match error {
        Unimported::Unreadable(_) => Code::Io,
        _ => Code::Data,
    };
    Failure::of(code, error).context(format!("`{name}` has no prices"))
}

/// Writes a file whole or not at all.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let unwritten = |error: &dyn std::error::Error| {
        Failure::new(Code::CannotCreate, format!("cannot write `{}`", file.display())).because(error)
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(|error| unwritten(&error))?;
    std::io::Write::write_all(&mut new, text.as_bytes()).map_err(|error| unwritten(&error))?;
    // Prices are no secret, and a temporary file is its owner's alone.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    new.as_file().set_permissions(readable).map_err(|error| unwritten(&error))?;
    new.persist(file).map(drop).map_err(|error| unwritten(&error.error))
}
