//! Pictures of an account: VPC, subnet and role boxes with the allowed paths between them, as SVG.
//!
//! A [`Drawing`] describes the content, without coordinates. It is folded until a person can read it, arranged so that
//! few lines cross, routed through the space between the boxes, and written. The same drawing always gives the same
//! text.
#![expect(
    missing_docs,
    reason = "a field or variant whose name says it needs no comment; a house test looks after the other items"
)]

mod account;
mod boxes;
mod focus;
mod geometry;
mod grouping;
mod kind;
mod label;
mod layout;
mod legend;
mod ordering;
mod placement;
mod ports;
mod route;
mod shapes;
mod svg;
mod text;
mod titles;
mod tracks;

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
mod tests;

use doorward_core::reach::RoleId;

pub use account::{drawing, endpoints};
pub use focus::Focus;
pub use kind::Kind;
pub use text::escape;

/// The style of a picture, for pages and for files alike.
pub const STYLE: &str = include_str!("picture.css");

/// What is to be drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawing {
    /// What the picture is of.
    pub title: String,
    /// What a reader should know besides, a line each, like what could not be seen.
    pub notes: Vec<String>,
    pub vpcs: Vec<Vpc>,
    /// What is outside of all of them.
    pub outside: Vec<Outside>,
    /// What passes.
    pub edges: Vec<Edge>,
    /// Whether it shows a part: roles without a way are then others, not roles that nothing reaches.
    pub part: bool,
}

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    pub id: String,
    /// The name that people gave it.
    pub name: Option<String>,
    /// Its prefixes, and where it is.
    pub about: Vec<String>,
    /// Its subnets, by what routes and filters them.
    pub tiers: Vec<Tier>,
}

/// Subnets that share a route table and a network ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// What people would call them.
    pub title: String,
    /// What they are, like `a way to the internet · 2 subnets`.
    pub about: String,
    /// Their ids.
    pub subnets: Vec<String>,
    /// Who is in them.
    pub roles: Vec<Role>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its number.
    pub id: RoleId,
    /// What people call it.
    pub name: String,
    /// Its groups by name.
    pub groups: Vec<String>,
    /// How many interfaces it has.
    pub members: usize,
    /// Whether any of them has a public address.
    pub public: bool,
}

/// Something outside of all VPCs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Whether it is all of the internet.
    pub internet: bool,
}

/// One end of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot {
    /// A place in [`Drawing::outside`].
    Outside(usize),
    Role(RoleId),
}

/// What passes between two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who sends.
    pub from: Spot,
    /// Who receives.
    pub to: Spot,
    /// What surely passes, in the syntax of flows.
    pub flows: String,
    /// What may pass besides, if what could not be seen lets it.
    pub perhaps: String,
    /// What kind of flow that is.
    pub kind: Kind,
    /// Whether all of it passes between any two of them.
    pub whole: bool,
}

impl Edge {
    /// Whether a reader may not take it for all that passes, between all of them.
    pub fn dashed(&self) -> bool {
        !self.whole || !self.perhaps.is_empty()
    }

    /// What passes, in a few words.
    pub fn says(&self) -> String {
        match (self.flows.as_str(), self.perhaps.as_str()) {
            (flows, "") => flows.to_owned(),
            ("", perhaps) => format!("perhaps {perhaps}"),
            (flows, _) => format!("{flows}, perhaps more"),
        }
    }
}

/// What somebody clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click<'a> {
    /// A way.
    Edge(&'a Edge),
    /// A role, or something outside.
    Spot(Spot),
    /// The ways between two tiers; each is the first role of it, or something outside.
    Between(Spot, Spot),
}

/// Where a picture is shown.
pub enum Setting<'a> {
    /// In a file of its own: with its style in it.
    File,
    /// In a page that has the style: with links.
    Page(&'a dyn Fn(Click<'_>) -> Option<String>),
}

/// Draws.
pub fn draw(drawing: &Drawing, setting: &Setting<'_>) -> String {
    let scene = grouping::fold(drawing);
    let plan = ordering::arrange(&scene);
    let routes = route::routes(&scene, &plan);
    let laid = layout::lay(&scene, &plan, routes);
    let labels = label::labels(&scene, &laid);
    svg::write(drawing, &scene, &laid, &labels, setting)
}
