//! Deleting: what is gone already is no failure, and what is still used is named with its users.

use doorward_core::inventory::{Owned, SecurityGroupId};
use doorward_core::plan::network::Change;

use super::NotDone;
use super::run::{Reporter, Run};
use crate::error::Error;
use crate::operation::database::DeleteDBSubnetGroup;
use crate::operation::network::{
    DeleteInternetGateway, DeleteNatGateway, DeleteRoute, DeleteRouteTable, DeleteSecurityGroup,
    DeleteSubnet, DeleteVpc, DeleteVpcEndpoints, DetachInternetGateway, InterfacesOfGroup, ReleaseAddress,
};
use crate::operation::{InterfaceShape, Operation, action};

impl Run {
    /// Performs a change that takes something away.
    pub(super) async fn remove(&self, change: &Change, reporter: &Reporter) -> Result<(), NotDone> {
        match change {
            Change::DeleteEndpoint(id) => {
                let operation = DeleteVpcEndpoints(id.clone());
                let gone = ["InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound"];
                let answer = self.repeat(&operation, &gone, &[], reporter).await?;
                let why = answer.and_then(|it| it.not.0.into_iter().find_map(|not| not.error));
                match why.filter(|why| !gone.contains(&why.code.as_str())) {
                    None => Ok(()),
                    Some(why) => Err(Error::Refused {
                        call: action::<DeleteVpcEndpoints>(),
                        account_region: self.account.account_region().clone(),
                        code: why.code,
                        message: why.message,
                    }
                    .into()),
                }
            }
            Change::DeleteRoute(table, destination) => {
                let operation = DeleteRoute { table: table.clone(), destination: destination.clone() };
                self.delete(&operation, &["InvalidRoute.NotFound"], reporter).await
            }
            Change::DeleteNatGateway(id) => {
                let operation = DeleteNatGateway(id.clone());
                self.delete(&operation, &["NatGatewayNotFound"], reporter).await
            }
            Change::ReleaseAddress(address) => {
                let missing =
                    || NotDone::Missing(format!("the allocation of the elastic address {}", address.id()));
                let allocation = self.allocation(*address.id()).ok_or_else(missing)?;
                let operation = ReleaseAddress { _address: address.clone(), allocation };
                self.delete(&operation, &["InvalidAllocationID.NotFound"], reporter).await
            }
            Change::DeleteSubnetGroup(_, name) => {
                let operation = DeleteDBSubnetGroup(name.clone());
                self.delete(&operation, &["DBSubnetGroupNotFoundFault"], reporter).await
            }
            Change::DeleteSubnet(id) => {
                self.delete(&DeleteSubnet(id.clone()), &["InvalidSubnetID.NotFound"], reporter).await
            }
            Change::DeleteRouteTable(id) => {
                let operation = DeleteRouteTable(id.clone());
                self.delete(&operation, &["InvalidRouteTableID.NotFound"], reporter).await
            }
            Change::DeleteSecurityGroup(id) => self.delete_security_group(id, reporter).await,
            Change::DetachInternetGateway(gateway, vpc) => {
                let operation = DetachInternetGateway { gateway: gateway.clone(), vpc: vpc.clone() };
                let gone = ["Gateway.NotAttached", "InvalidInternetGatewayID.NotFound"];
                self.delete(&operation, &gone, reporter).await
            }
            Change::DeleteInternetGateway(id) => {
                let operation = DeleteInternetGateway(id.clone());
                self.delete(&operation, &["InvalidInternetGatewayID.NotFound"], reporter).await
            }
            Change::DeleteVpc(id) => {
                self.delete(&DeleteVpc(id.clone()), &["InvalidVpcID.NotFound"], reporter).await
            }
            _ => Err(NotDone::Broken),
        }
    }

    async fn delete<O: Operation>(
        &self,
        operation: &O,
        gone: &[&str],
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.repeat(operation, gone, &[], reporter).await.map(drop)
    }

    async fn delete_security_group(
        &self,
        id: &Owned<SecurityGroupId>,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = DeleteSecurityGroup(id.clone());
        let gone = ["InvalidGroup.NotFound", "InvalidGroupId.NotFound"];
        let deleted = self.delete(&operation, &gone, reporter).await;
        let Err(NotDone::Call(Error::Refused { code, .. })) = &deleted else { return deleted };
        if code != "DependencyViolation" {
            return deleted;
        }
        match self.users(id.id()).await {
            Ok(users) if !users.is_empty() => {
                Err(NotDone::InUse { what: format!("security group {}", id.id()), users: users.join(", ") })
            }
            _ => deleted,
        }
    }

    /// The interfaces that have a group attached, each with its owner.
    pub(super) async fn users(&self, group: &SecurityGroupId) -> Result<Vec<String>, super::run::Tried> {
        let interfaces = self.pages(InterfacesOfGroup { group: group.clone(), token: None }).await?;
        Ok(interfaces.iter().map(user).collect())
    }
}

/// `eni-0a (AWS Lambda VPC ENI-report)`, `eni-0b of i-0a`.
fn user(interface: &InterfaceShape) -> String {
    let id = interface.id.as_deref().unwrap_or("an interface");
    let instance = interface.attachment.as_ref().and_then(|attachment| attachment.instance.as_deref());
    let about = interface.about.as_deref().map(str::trim).filter(|about| !about.is_empty());
    match (instance, about) {
        (Some(instance), _) => format!("{id} of {instance}"),
        (None, Some(about)) => format!("{id} ({})", doorward_core::text::shown(about)),
        (None, None) => id.to_owned(),
    }
}
