//! `ec2:ModifyNetworkInterfaceAttribute`: sets the security groups of an interface.

use std::collections::BTreeSet;

use doorward_core::inventory::{InterfaceId, SecurityGroupId};

use crate::operation::{Body, Done, Operation, Service};
use crate::wire::Form;

/// Sets all groups of an interface at once.
#[derive(Debug, Clone)]
pub(crate) struct ModifyNetworkInterfaceAttribute {
    pub(crate) interface: InterfaceId,
    pub(crate) groups: BTreeSet<SecurityGroupId>,
}

impl Operation for ModifyNetworkInterfaceAttribute {
    const NAME: &'static str = "ModifyNetworkInterfaceAttribute";
    const SERVICE: Service = Service::Ec2;
    type Answer = Done;

    fn body(&self) -> Body {
        let mut form = Form::default();
        form.put("NetworkInterfaceId", self.interface.as_str());
        form.each("SecurityGroupId", &self.groups);
        Body::Form(form)
    }
}
