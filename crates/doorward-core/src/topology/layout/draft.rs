//! A layout in the making: what is wanted so far, what of ours is kept, and what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::Ipv4Addr;

use super::{Dependent, Layout, Lost, Note, Obstacle, Site};
use crate::inventory::{
    Call, ElasticAddress, Endpoint, EndpointId, Instance, InstanceId, InternetGateway, InternetGatewayId,
    Inventory, NamedResource, NatGateway, NatGatewayId, PlannedId, ResourceRef, RouteTable, RouteTableId,
    SecurityGroup, SecurityGroupId, Subnet, SubnetId, Tags, Vpc, VpcId, made_by,
};
use crate::mark::{Because, Mark};
use crate::name::{InstallationId, NetworkName};
use crate::topology::{Part, Purpose};

/// A kind of resource that networks are made of and that has tags.
pub trait Made: Clone + PartialEq {
    /// By what it is known.
    type Id: Ord + Clone + Display;

    /// All of the kind.
    fn all(inventory: &Inventory) -> &BTreeMap<Self::Id, Self>;

    /// All of the kind, to be changed.
    fn all_mut(inventory: &mut Inventory) -> &mut BTreeMap<Self::Id, Self>;

    /// Its tags.
    fn tags(&self) -> &Tags;
}

macro_rules! made {
    ($($kind:ident $id:ident $all:ident,)*) => {
        $(impl Made for $kind {
            type Id = $id;

            fn all(inventory: &Inventory) -> &BTreeMap<$id, Self> {
                &inventory.$all
            }

            fn all_mut(inventory: &mut Inventory) -> &mut BTreeMap<$id, Self> {
                &mut inventory.$all
            }

            fn tags(&self) -> &Tags {
                &self.tags
            }
        })*
    };
}

made! {
    Vpc VpcId vpcs,
    Subnet SubnetId subnets,
    RouteTable RouteTableId route_tables,
    InternetGateway InternetGatewayId internet_gateways,
    NatGateway NatGatewayId nat_gateways,
    ElasticAddress Ipv4Addr elastic_addresses,
    Endpoint EndpointId endpoints,
    Instance InstanceId instances,
    SecurityGroup SecurityGroupId groups,
}

/// What a resource is for, if `by` made it.
pub fn purpose_of(tags: &Tags, by: &InstallationId) -> Option<Purpose> {
    made_by(tags, by)?.parse().ok()
}

/// See the module.
pub(super) struct Draft<'a> {
    pub(super) actual: &'a Inventory,
    pub(super) site: &'a Site,
    pub(super) wanted: Inventory,
    kept: BTreeSet<String>,
    obstacles: Vec<Obstacle>,
    notes: Vec<Note>,
    lost: Vec<Lost>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(actual: &'a Inventory, site: &'a Site) -> Self {
        let (kept, obstacles, notes, lost) = (BTreeSet::new(), Vec::new(), Vec::new(), Vec::new());
        Self { actual, site, wanted: actual.clone(), kept, obstacles, notes, lost }
    }

    /// Reports each call that gave no whole answer in this account and Region.
    pub(super) fn needs(&mut self, calls: &[Call]) {
        for gap in calls.iter().filter_map(|call| self.actual.gap(*call, &self.site.account_region)) {
            self.obstacles.push(Obstacle::Unread(gap.clone()));
        }
    }

    pub(super) fn obstacle(&mut self, obstacle: Obstacle) {
        self.obstacles.push(obstacle);
    }

    pub(super) fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn lose(&mut self, lost: Lost) {
        self.lost.push(lost);
    }

    /// Notes that a resource is left as it is, because something uses it.
    pub(super) fn in_use(&mut self, what: ResourceRef, users: Vec<NamedResource>) {
        let users = self.users(users);
        self.note(Note::InUse { what, users });
    }

    /// Resources with their owners.
    pub(super) fn users(&self, users: Vec<NamedResource>) -> Vec<Dependent> {
        users.into_iter().map(|user| Dependent::of(self.actual, user)).collect()
    }

    /// What would otherwise be left as it is, because something uses it, prevents the layout.
    pub(super) fn notes_prevent(&mut self) {
        for note in std::mem::take(&mut self.notes) {
            match note {
                Note::InUse { what, users } => self.obstacles.push(Obstacle::InUse { what, users }),
                other => self.notes.push(other),
            }
        }
    }

    /// Whether nothing prevents the layout so far.
    pub(super) fn is_clear(&self) -> bool {
        self.obstacles.is_empty()
    }

    pub(super) fn finish(self) -> Result<Layout, Vec<Obstacle>> {
        if self.obstacles.is_empty() {
            Ok(Layout { wanted: self.wanted, notes: self.notes, lost: self.lost })
        } else {
            Err(self.obstacles)
        }
    }

    /// The VPCs that were made for a network: more than one where an answer was lost.
    pub(super) fn vpcs_of(&self, network: &NetworkName) -> Vec<&'a Vpc> {
        let (text, by) = (Purpose::of(network, Part::Vpc).to_string(), &self.site.by);
        self.actual.vpcs.values().filter(|it| made_by(&it.tags, by) == Some(text.as_str())).collect()
    }

    /// The resource of a kind that stands for a purpose. Of several, which a lost answer can leave, the first.
    pub(super) fn existing<K: Made>(&self, purpose: &Purpose) -> Option<&'a K> {
        self.existing_if(purpose, |_| true)
    }

    /// The same among those that can stay: AWS describes what failed or was deleted beside what replaced it.
    pub(super) fn existing_if<K: Made>(
        &self,
        purpose: &Purpose,
        stays: impl Fn(&K) -> bool,
    ) -> Option<&'a K> {
        let text = purpose.to_string();
        let by = &self.site.by;
        let mut all = K::all(self.actual).values();
        all.find(|it| made_by(it.tags(), by) == Some(text.as_str()) && stays(it))
    }

    /// Keeps the resource of a purpose, or has it made.
    pub(super) fn put<K: Made<Id: PlannedId>>(
        &mut self,
        purpose: &Purpose,
        id: impl Fn(&K) -> &K::Id,
        new: impl FnOnce(K::Id, Tags) -> K,
    ) -> K::Id {
        self.put_if(purpose, |_| true, id, new)
    }

    /// Keeps the resource of a purpose if it can stay, or has one made.
    pub(super) fn put_if<K: Made<Id: PlannedId>>(
        &mut self,
        purpose: &Purpose,
        stays: impl Fn(&K) -> bool,
        id: impl Fn(&K) -> &K::Id,
        new: impl FnOnce(K::Id, Tags) -> K,
    ) -> K::Id {
        let existing = self.existing_if::<K>(purpose, stays).map(|it| id(it).clone());
        let id = existing.unwrap_or_else(|| K::Id::planned(&purpose.to_string()));
        self.keep(&id);
        let tags = self.tags(purpose);
        K::all_mut(&mut self.wanted).entry(id.clone()).or_insert_with(|| new(id.clone(), tags));
        id
    }

    /// Keeps the security group of a purpose, or has it made, without rules.
    pub(super) fn put_group(
        &mut self,
        purpose: &Purpose,
        vpc: &VpcId,
        name: String,
        about: String,
    ) -> SecurityGroupId {
        let account_region = self.site.account_region.clone();
        let vpc = Some(vpc.clone());
        let rules = BTreeMap::new();
        let group =
            |id, tags| SecurityGroup { id, account_region, owner: None, vpc, name, about, tags, rules };
        self.put::<SecurityGroup>(purpose, |group| &group.id, group)
    }

    /// Says that a resource of ours is still wanted.
    pub(super) fn keep(&mut self, id: &impl Display) {
        self.kept.insert(id.to_string());
    }

    /// Whether a resource of ours is still wanted.
    pub(super) fn is_kept(&self, id: &impl Display) -> bool {
        self.kept.contains(&id.to_string())
    }

    /// The tags of what is made for a purpose.
    pub(super) fn tags(&self, purpose: &Purpose) -> Tags {
        [
            (Mark::TAG.to_owned(), self.site.by.to_string()),
            (Mark::PART_TAG.to_owned(), purpose.to_string()),
            ("Name".to_owned(), purpose.name()),
        ]
        .into()
    }

    /// The description of a rule.
    pub(super) fn mark(&self, because: Because) -> Mark {
        Mark::new(self.site.by.clone(), because, None)
    }
}
