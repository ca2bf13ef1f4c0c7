//! The transit gateways of a business unit, one in each Region, with a route table for each stage.

use std::collections::BTreeSet;

use doorward_core::inventory::{
    Attachment, AttachmentTarget, Inventory, Tags, TransitGateway, TransitGatewayId, TransitRoute,
    TransitTable,
};

use super::vpc::{Site, Stage, ZONES};
use super::{REGIONS, account_region, id};
use crate::account::named;

/// The account of the transit gateways; those of VPCs begin at zero.
const ACCOUNT: usize = 900_000;

const STAGES: [Stage; 3] = [Stage::Shared, Stage::Production, Stage::Development];

/// The transit gateway of a unit in a Region.
pub fn gateway(unit: usize, region: usize) -> TransitGatewayId {
    id("tgw", unit * REGIONS.len() + region)
}

/// The transit gateways of a unit.
pub fn unit(unit: usize, sites: &[Site]) -> Inventory {
    let mut inventory = Inventory::default();
    for (region, name) in REGIONS.into_iter().enumerate() {
        let gateway = TransitGateway {
            id: gateway(unit, region),
            account_region: account_region(ACCOUNT + unit, name),
            state: "available".to_owned(),
            group_references: true,
            tags: named(&format!("unit-{unit}-{name}")),
        };
        let here: Vec<&Site> = sites.iter().filter(|site| site.region == region).collect();
        for (number, stage) in STAGES.into_iter().enumerate() {
            table(&gateway.id, number, stage, &here, &mut inventory);
        }
        for site in here {
            let attachment = Attachment {
                id: id("tgw-attach", site.number),
                gateway: gateway.id.clone(),
                to: AttachmentTarget::Vpc(site.vpc.clone()),
                state: "available".to_owned(),
                table: STAGES
                    .iter()
                    .position(|stage| *stage == site.stage())
                    .map(|number| table_id(&gateway.id, number)),
                subnets: Some((0..ZONES).map(|zone| site.subnet(false, zone)).collect()),
                group_references: true,
                appliance_mode: false,
                tags: Tags::new(),
            };
            inventory.attachments.insert((gateway.id.clone(), attachment.id.clone()), attachment);
        }
        inventory.transit_gateways.insert(gateway.id.clone(), gateway);
    }
    inventory
}

fn table_id(gateway: &TransitGatewayId, number: usize) -> doorward_core::inventory::TransitTableId {
    let (_, digits) = gateway.as_str().split_once('-').expect("an id");
    let gateway = usize::from_str_radix(digits, 16).expect("hexadecimal digits");
    id("tgw-rtb", gateway * STAGES.len() + number)
}

/// The shared VPC reaches all, all reach it, and each stage reaches itself.
fn table(
    gateway: &TransitGatewayId,
    number: usize,
    stage: Stage,
    sites: &[&Site],
    inventory: &mut Inventory,
) {
    let reached =
        sites.iter().filter(|site| stage == Stage::Shared || [stage, Stage::Shared].contains(&site.stage()));
    let routes = reached.clone().map(|site| TransitRoute {
        cidr: site.cidr,
        prefix_list: None,
        attachments: super::one(id("tgw-attach", site.number)),
        propagated: true,
        blackhole: false,
    });
    let table = TransitTable {
        id: table_id(gateway, number),
        gateway: gateway.clone(),
        routes: Some(routes.collect()),
        propagations: reached.map(|site| id("tgw-attach", site.number)).collect::<BTreeSet<_>>(),
        tags: named(&format!("{stage:?}").to_lowercase()),
    };
    inventory.transit_tables.insert(table.id.clone(), table);
}
