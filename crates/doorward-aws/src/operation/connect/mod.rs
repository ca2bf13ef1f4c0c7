//! The calls of EC2 Instance Connect, and of what an instance wrote to its console.

mod describe_endpoints;
mod get_console_output;
mod send_ssh_public_key;

pub(crate) use describe_endpoints::{ConnectEndpointShape, DescribeInstanceConnectEndpoints};
pub(crate) use get_console_output::GetConsoleOutput;
pub(crate) use send_ssh_public_key::SendSshPublicKey;
