//! Creating: each resource once, whatever happens to the answer.

use doorward_core::inventory::{
    AnsweredId, ElasticAddress, Endpoint, InternetGateway, NatAvailability, NatGateway, NotAnId, PlannedId,
    RouteTable, SecurityGroup, Subnet, SubnetGroup, Tags, Vpc,
};
use doorward_core::mark::Mark;
use doorward_core::net::Family;

use super::NotDone;
use super::again::Attempts;
use super::run::{Reporter, Run, Tried};
use crate::error::Error;
use crate::operation::database::CreateDBSubnetGroup;
use crate::operation::network::{
    All as _, AllocateAddress, CreateInternetGateway, CreateNatGateway, CreateRouteTable,
    CreateSecurityGroup, CreateSubnet, CreateVpc, CreateVpcEndpoint, Creates, Tagged as _,
};
use crate::operation::{Paged, action};

/// How often a resource is looked up by its tags where it may have been made: with the default pace half a minute, since AWS
/// does not show a new resource everywhere at once (EC2 developer guide, "Eventual consistency").
const LOOKS: u32 = 5;

/// What a call creates.
pub(super) type Item<O> = <<O as Creates>::Look as Paged>::Item;

impl Run {
    /// Creates a resource, or finds the one that an earlier call made.
    async fn create<O: Creates>(&self, operation: &O, reporter: &Reporter) -> Result<Item<O>, NotDone> {
        if O::LOOKS_FIRST
            && let Some(there) = self.find::<O>(operation.tags(), reporter).await?
        {
            return Ok(there);
        }
        let mut attempts = Attempts::default();
        loop {
            let tried = match self.call(operation).await {
                Ok(answer) => match O::made(answer).filter(|made| made.id().is_some()) {
                    Some(made) => return Ok(made),
                    None => Tried::Failed(self.nameless::<O>()),
                },
                Err(tried) => tried,
            };
            if tried.is(O::THERE) {
                return self
                    .find_patiently::<O>(operation.tags(), reporter)
                    .await?
                    .ok_or_else(|| tried.into());
            }
            let doubtful = attempts.doubtful();
            self.again(&mut attempts, tried, reporter).await?;
            // Each attempt without an answer may be the one that was performed.
            if attempts.doubtful() > doubtful
                && let Some(made) = self.find_again::<O>(operation.tags(), reporter).await?
            {
                return Ok(made);
            }
        }
    }

    fn nameless<O: Creates>(&self) -> Error {
        Error::Silent {
            call: action::<O>(),
            account_region: self.account.account_region().clone(),
            why: "the response has no id".to_owned(),
        }
    }

    /// The resource with the installation and the purpose of these tags.
    async fn find<O: Creates>(&self, tags: &Tags, reporter: &Reporter) -> Result<Option<Item<O>>, NotDone> {
        let mut attempts = Attempts::default();
        let all = loop {
            match self.pages(O::Look::all()).await {
                Ok(all) => break all,
                Err(tried) => self.again(&mut attempts, tried, reporter).await?,
            }
        };
        let has = |item: &Item<O>, key: &str| {
            let value = tags.get(key);
            value.is_some() && item.tags().0.iter().any(|tag| tag.key == key && tag.value.as_ref() == value)
        };
        Ok(all.into_iter().find(|it| it.is_there() && has(it, Mark::TAG) && has(it, Mark::PART_TAG)))
    }

    /// The same after an attempt without an answer: what has a token is not made twice, although it is not visible yet.
    async fn find_again<O: Creates>(
        &self,
        tags: &Tags,
        reporter: &Reporter,
    ) -> Result<Option<Item<O>>, NotDone> {
        if O::HAS_TOKEN {
            self.find::<O>(tags, reporter).await
        } else {
            self.find_patiently::<O>(tags, reporter).await
        }
    }

    /// The same, until it must be visible.
    async fn find_patiently<O: Creates>(
        &self,
        tags: &Tags,
        reporter: &Reporter,
    ) -> Result<Option<Item<O>>, NotDone> {
        for number in 0..LOOKS {
            if let Some(found) = self.find::<O>(tags, reporter).await? {
                return Ok(Some(found));
            }
            self.pause(self.pace.pause(number)).await?;
        }
        self.find::<O>(tags, reporter).await
    }

    /// Creates a resource and notes its id.
    pub(super) async fn create_noting<O: Creates, I>(
        &self,
        planned: &I,
        operation: &O,
        reporter: &Reporter,
    ) -> Result<Item<O>, NotDone>
    where
        I: AnsweredId + PlannedId + std::fmt::Display,
    {
        let made = self.create(operation, reporter).await?;
        let id = I::answered(made.id().unwrap_or_default()).map_err(|why| self.unreadable::<O>(&why))?;
        self.note(planned, &id);
        Ok(made)
    }

    fn unreadable<O: Creates>(&self, why: &NotAnId) -> Error {
        Error::Silent {
            call: action::<O>(),
            account_region: self.account.account_region().clone(),
            why: why.to_string(),
        }
    }

    pub(super) async fn create_vpc(&self, vpc: &Vpc, reporter: &Reporter) -> Result<(), NotDone> {
        let cidr = vpc.cidrs.iter().find(|cidr| cidr.family() == Family::V4).copied();
        let cidr = cidr.ok_or_else(|| NotDone::Missing(format!("a block of IPv4 for {}", vpc.id)))?;
        self.create_noting(&vpc.id, &CreateVpc { cidr, tags: vpc.tags.clone() }, reporter).await.map(drop)
    }

    pub(super) async fn create_subnet(&self, subnet: &Subnet, reporter: &Reporter) -> Result<(), NotDone> {
        self.create_noting(&subnet.id, &CreateSubnet(subnet.clone()), reporter).await.map(drop)
    }

    pub(super) async fn create_internet_gateway(
        &self,
        gateway: &InternetGateway,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = CreateInternetGateway { tags: gateway.tags.clone() };
        self.create_noting(&gateway.id, &operation, reporter).await.map(drop)
    }

    pub(super) async fn allocate_address(
        &self,
        elastic: &ElasticAddress,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = AllocateAddress { tags: elastic.tags.clone() };
        let made = self.create(&operation, reporter).await?;
        let unreadable = |why: NotAnId| self.unreadable::<AllocateAddress>(&why);
        let allocation = AnsweredId::answered(made.id().unwrap_or_default()).map_err(unreadable)?;
        let given = made.public.as_deref().and_then(|public| public.parse().ok());
        let given = given.ok_or_else(|| self.nameless::<AllocateAddress>())?;
        self.note_address(elastic.public, given, allocation);
        Ok(())
    }

    pub(super) async fn create_nat_gateway(
        &self,
        gateway: &NatGateway,
        token: String,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let allocation = match (&gateway.availability, gateway.public_address) {
            (NatAvailability::Zonal(_), Some(public)) => {
                let missing = || NotDone::Missing(format!("the allocation of the elastic address {public}"));
                Some(self.allocation(public).ok_or_else(missing)?)
            }
            _ => None,
        };
        let operation = CreateNatGateway { gateway: gateway.clone(), allocation, token };
        self.create_noting(&gateway.id, &operation, reporter).await.map(drop)
    }

    pub(super) async fn create_route_table(
        &self,
        table: &RouteTable,
        token: String,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = CreateRouteTable { vpc: table.vpc.clone(), tags: table.tags.clone(), token };
        self.create_noting(&table.id, &operation, reporter).await.map(drop)
    }

    pub(super) async fn create_endpoint(
        &self,
        endpoint: &Endpoint,
        token: String,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let operation = CreateVpcEndpoint { endpoint: endpoint.clone(), token };
        self.create_noting(&endpoint.id, &operation, reporter).await.map(drop)
    }

    pub(super) async fn create_security_group(
        &self,
        group: &SecurityGroup,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        self.create_noting(&group.id, &CreateSecurityGroup(group.clone()), reporter).await.map(drop)
    }

    /// RDS knows a subnet group by its name alone, which is one that only this installation gives.
    pub(super) async fn create_subnet_group(
        &self,
        group: &SubnetGroup,
        reporter: &Reporter,
    ) -> Result<(), NotDone> {
        let about = "Private subnets of a network of Doorward".to_owned();
        let operation = CreateDBSubnetGroup { group: group.clone(), about, by: self.by.clone() };
        self.repeat(&operation, &[], &["DBSubnetGroupAlreadyExists"], reporter).await.map(drop)
    }
}
