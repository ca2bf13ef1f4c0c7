//! EC2 Instance Connect: a key for 60 seconds, a tunnel through an endpoint, and what the console says of host keys.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use doorward_core::inventory::ConnectEndpointId;

use crate::account::Account;
use crate::error::Error;
use crate::operation::Service;
use crate::operation::connect::{
    ConnectEndpointShape, DescribeInstanceConnectEndpoints, GetConsoleOutput, SendSshPublicKey,
};
use crate::signing;
use crate::wire::Form;

/// How long a tunnel's address is good for.
const TUNNEL_URL: Duration = Duration::from_secs(60);

/// The longest that one tunnel lives, in seconds.
const LONGEST_TUNNEL: u32 = 3600;

/// An EC2 Instance Connect Endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectEndpoint {
    /// `eice-…`
    pub id: ConnectEndpointId,
    /// Where tunnels are opened.
    pub host: String,
    /// The VPC that it leads into.
    pub vpc: Option<String>,
    /// The subnet that it stands in.
    pub subnet: Option<String>,
    /// Whether tunnels can be opened: it is neither being made nor taken away.
    pub ready: bool,
    /// Its state as AWS says it, with what that is due to.
    pub state: String,
}

impl Account {
    /// Lets a key in for 60 seconds: `public` is a line as OpenSSH writes it, 80 to 4,096 characters.
    ///
    /// The zone spares AWS a look; it is no longer needed.
    pub async fn send_ssh_key(
        &self,
        instance: &str,
        user: &str,
        zone: Option<&str>,
        public: &str,
    ) -> Result<(), Error> {
        let operation = SendSshPublicKey {
            instance: instance.to_owned(),
            user: user.to_owned(),
            key: public.to_owned(),
            zone: zone.map(str::to_owned),
        };
        if self.ask(&operation).await?.success {
            return Ok(());
        }
        Err(self.unreadable::<SendSshPublicKey>("AWS reports that pushing the key failed"))
    }

    /// The endpoints that lead into a VPC, those that are ready first.
    pub async fn connect_endpoints(&self, vpc: &str) -> Result<Vec<ConnectEndpoint>, Error> {
        self.endpoints("vpc-id", vpc).await
    }

    /// One endpoint.
    pub async fn connect_endpoint(&self, id: &ConnectEndpointId) -> Result<Option<ConnectEndpoint>, Error> {
        Ok(self.endpoints("instance-connect-endpoint-id", id.as_str()).await?.into_iter().next())
    }

    async fn endpoints(&self, filter: &'static str, value: &str) -> Result<Vec<ConnectEndpoint>, Error> {
        let operation =
            DescribeInstanceConnectEndpoints { filter: Some((filter, value.to_owned())), token: None };
        let shapes = self.ask_all(operation).await?;
        let fips = self.0.connection.fips();
        let mut endpoints: Vec<ConnectEndpoint> =
            shapes.into_iter().filter_map(|shape| ConnectEndpoint::of(shape, fips)).collect();
        endpoints.sort_by(|one, other| (!one.ready, &one.id).cmp(&(!other.ready, &other.id)));
        Ok(endpoints)
    }

    /// The address at which a tunnel to a private address is opened: within 60 seconds, port 22 or 3389.
    ///
    /// `lasts` is the longest that the tunnel may live, in seconds: 1 to 3,600, and cut to that.
    pub async fn tunnel_url(
        &self,
        endpoint: &ConnectEndpoint,
        address: IpAddr,
        port: u16,
        lasts: Option<u32>,
    ) -> Result<String, Error> {
        let plain = self.0.connection.plain(Service::InstanceConnect);
        let base = format!("{}://{}", if plain { "ws" } else { "wss" }, endpoint.host);
        let url = open_tunnel(&base, &endpoint.id, address, port, lasts);
        let presign = |scope: signing::Scope<'_>| signing::presigned(&url, scope, TUNNEL_URL);
        self.sign(&url, "ec2-instance-connect", self.now(), presign).await
    }

    /// What an instance last wrote to its console; none while there is nothing, or no more.
    ///
    /// `latest` asks the instance itself, which only those on Nitro can answer.
    pub async fn console_output(&self, instance: &str, latest: bool) -> Result<Option<String>, Error> {
        let operation = GetConsoleOutput { instance: instance.to_owned(), latest };
        let Some(output) = self.ask(&operation).await?.output else { return Ok(None) };
        let packed: String = output.split_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(packed);
        let bytes = bytes.map_err(|_| self.unreadable::<GetConsoleOutput>("the output is not base64"))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()).filter(|text| !text.is_empty()))
    }
}

fn open_tunnel(base: &str, id: &ConnectEndpointId, address: IpAddr, port: u16, lasts: Option<u32>) -> String {
    let mut query = Form::default();
    query.put("instanceConnectEndpointId", id.as_str());
    query.put("remotePort", &port.to_string());
    query.put("privateIpAddress", &address.to_string());
    if let Some(lasts) = lasts {
        query.put("maxTunnelDuration", &lasts.clamp(1, LONGEST_TUNNEL).to_string());
    }
    format!("{base}/openTunnel?{}", query.into_body())
}

impl ConnectEndpoint {
    fn of(shape: ConnectEndpointShape, fips: bool) -> Option<Self> {
        let state = shape.state.unwrap_or_default();
        let ready = matches!(state.as_str(), "create-complete" | "update-complete");
        let said = shape.message.filter(|message| !message.is_empty());
        let host = if fips { shape.fips_host.or(shape.host) } else { shape.host };
        Some(Self {
            id: shape.id?.parse().ok()?,
            host: host?,
            vpc: shape.vpc,
            subnet: shape.subnet,
            ready,
            state: said.map_or_else(|| state.clone(), |said| format!("{state}: {said}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_says_where_it_leads() {
        let check = |base: &str, address: &str, lasts, expected: &str| {
            let id = "eice-0a1b".parse().expect("an id");
            assert_eq!(open_tunnel(base, &id, address.parse().expect("an address"), 22, lasts), expected);
        };
        check(
            "wss://eice-0a1b.example.org",
            "10.0.1.7",
            None,
            "wss://eice-0a1b.example.org/openTunnel?instanceConnectEndpointId=eice-0a1b&remotePort=22&privateIpAddress=10.0.1.7",
        );
        check(
            "ws://127.0.0.1:8443",
            "2001:db8::7",
            Some(86_400),
            "ws://127.0.0.1:8443/openTunnel?instanceConnectEndpointId=eice-0a1b&remotePort=22&privateIpAddress=2001%3Adb8%3A%3A7&maxTunnelDuration=3600",
        );
    }
}
