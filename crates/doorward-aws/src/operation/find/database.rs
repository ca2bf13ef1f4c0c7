//! `rds:DescribeDBInstances`, `DescribeDBClusters` and `DescribeDBProxies`: one by its name.

use crate::operation::database::{ClustersAnswer, DatabasesAnswer, ProxiesAnswer};
use crate::operation::{Body, Operation, Service};
use crate::wire::Form;

macro_rules! find {
    ($(#[$doc:meta])* $operation:ident is $name:literal by $parameter:literal, $answer:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $operation {
            pub(crate) name: String,
        }

        impl Operation for $operation {
            const NAME: &'static str = $name;
            const SERVICE: Service = Service::Rds;
            type Answer = $answer;

            fn body(&self) -> Body {
                let mut form = Form::default();
                form.put($parameter, &self.name);
                Body::Form(form)
            }
        }
    };
}

find!(
    /// Asks for one DB instance.
    FindDatabase is "DescribeDBInstances" by "DBInstanceIdentifier", DatabasesAnswer
);
find!(
    /// Asks for one DB cluster.
    FindCluster is "DescribeDBClusters" by "DBClusterIdentifier", ClustersAnswer
);
find!(
    /// Asks for one RDS Proxy.
    FindProxy is "DescribeDBProxies" by "DBProxyName", ProxiesAnswer
);
