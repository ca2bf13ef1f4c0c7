//! `ec2:ReleaseAddress`: gives an elastic address back.

use std::net::Ipv4Addr;

use doorward_core::inventory::{AllocationId, Owned};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Releases an elastic address, for good.
#[derive(Debug, Clone)]
pub(crate) struct ReleaseAddress {
    /// The right to it.
    pub(crate) _address: Owned<Ipv4Addr>,
    pub(crate) allocation: AllocationId,
}

impl Operation for ReleaseAddress {
    const NAME: &'static str = "ReleaseAddress";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("AllocationId", self.allocation.as_str());
        Body::Form(form)
    }
}
