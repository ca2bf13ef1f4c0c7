//! VPC Block Public Access.

use doorward_core::inventory::{
    AccountRegion, AnsweredId, BlockExclusion, BlockMode, BlockPublicAccess, Call, Excepted, Inventory,
    SubnetId, VpcId,
};

use super::{Member, Reader, Unreadable};
use crate::operation::{BlockExclusionShape, BlockOptionsShape};

/// Exceptions, until the mode is known.
#[derive(Debug, Default)]
pub(super) struct PendingExclusions(Vec<BlockExclusion>);

impl Member for BlockOptionsShape {
    const CALL: Call = Call::BlockPublicAccess;

    fn named(&self) -> Option<&str> {
        None
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let mode = match self.mode.as_deref().ok_or(Unreadable::Missing("InternetGatewayBlockMode"))?.trim() {
            "off" => BlockMode::Off,
            "block-bidirectional" => BlockMode::Bidirectional,
            "block-ingress" => BlockMode::Ingress,
            other => return Err(Unreadable::Odd("InternetGatewayBlockMode", other.to_owned())),
        };
        let block = BlockPublicAccess { mode, exclusions: Vec::new() };
        reader.keep(
            |inventory| &mut inventory.block_public_access,
            reader.account_region.clone(),
            block,
            PartialEq::eq,
        )
    }
}

impl Member for BlockExclusionShape {
    const CALL: Call = Call::BlockExclusions;

    fn named(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(&self, reader: &mut Reader) -> Result<(), Unreadable> {
        let state = self.state.as_deref().unwrap_or("create-complete");
        if !matches!(state, "create-complete" | "update-in-progress" | "update-complete" | "update-failed") {
            return Ok(());
        }
        // `arn:aws:ec2:REGION:ACCOUNT:vpc/vpc-…` or `…:subnet/subnet-…`
        let arn = self.resource.as_deref().ok_or(Unreadable::Missing("ResourceArn"))?.trim();
        let (kind, name) = arn.rsplit_once('/').unwrap_or(("", arn));
        let of = if kind.ends_with(":vpc") || name.starts_with("vpc-") {
            Excepted::Vpc(VpcId::answered(name)?)
        } else {
            Excepted::Subnet(SubnetId::answered(name)?)
        };
        let both_ways = match self.mode.as_deref().map(str::trim) {
            Some("allow-bidirectional") => true,
            Some("allow-egress") => false,
            other => {
                let other = other.unwrap_or_default().to_owned();
                return Err(Unreadable::Odd("InternetGatewayExclusionMode", other));
            }
        };
        let exclusion = BlockExclusion { of, both_ways };
        if !reader.block.0.contains(&exclusion) {
            reader.block.0.push(exclusion);
        }
        Ok(())
    }
}

impl PendingExclusions {
    /// Gives the mode its exceptions. Without the mode nothing is known, and they say nothing.
    pub(super) fn finish(self, inventory: &mut Inventory, account_region: &AccountRegion) {
        if let Some(block) = inventory.block_public_access.get_mut(account_region) {
            block.exclusions = self.0;
        }
    }
}
