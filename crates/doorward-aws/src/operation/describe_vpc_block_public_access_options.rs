//! `ec2:DescribeVpcBlockPublicAccessOptions`: whether a Region forbids its VPCs the internet.

use super::describe::shape;
use super::{Body, Operation, Paged, Service};
use crate::wire::Form;

/// Asks for the mode of the Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct DescribeVpcBlockPublicAccessOptions;

impl Operation for DescribeVpcBlockPublicAccessOptions {
    const NAME: &'static str = "DescribeVpcBlockPublicAccessOptions";
    const SERVICE: Service = Service::Ec2;
    type Answer = BlockOptionsAnswer;

    fn body(&self) -> Body {
        Body::Form(Form::default())
    }
}

/// There is one member and no page after it.
impl Paged for DescribeVpcBlockPublicAccessOptions {
    type Item = BlockOptionsShape;

    fn at(&self, _token: String) -> Self {
        Self
    }

    fn split(answer: BlockOptionsAnswer) -> (Vec<BlockOptionsShape>, Option<String>) {
        (answer.options.into_iter().collect(), None)
    }
}

shape! {
    /// `VpcBlockPublicAccessOptions`, `vpcBlockPublicAccessOptions`
    BlockOptionsAnswer {
        options: Option<BlockOptionsShape> = "VpcBlockPublicAccessOptions" | "vpcBlockPublicAccessOptions",
    }
}

shape! {
    /// The mode.
    BlockOptionsShape {
        mode: Option<String> = "InternetGatewayBlockMode" | "internetGatewayBlockMode",
    }
}
