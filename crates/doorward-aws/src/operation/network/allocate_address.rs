//! `ec2:AllocateAddress`: an elastic address that AWS chooses.

use doorward_core::inventory::Tags;

use super::{Creates, tagged};
use crate::operation::{AddressShape, Body, DescribeAddresses, Operation, Service};
use crate::wire::Form;

/// Allocates an elastic address. EC2 has no token for it: its tags tell whether it was allocated.
#[derive(Debug, Clone)]
pub(crate) struct AllocateAddress {
    pub(crate) tags: Tags,
}

impl Operation for AllocateAddress {
    const NAME: &'static str = "AllocateAddress";
    const SERVICE: Service = Service::Ec2;
    type Answer = AddressShape;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("Domain", "vpc");
        tagged(&mut form, "elastic-ip", &self.tags);
        Body::Form(form)
    }
}

impl Creates for AllocateAddress {
    type Look = DescribeAddresses;

    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn made(answer: AddressShape) -> Option<AddressShape> {
        Some(answer)
    }
}
