//! Site-to-Site VPN connections: whether one is up.

use crate::inventory::VpnConnection;
use crate::reach::code::Code;
use crate::reach::trace::steps::StepText;

/// Why a connection carries nothing; none where it is up, as far as that was recorded.
///
/// Source: `VgwTelemetry` of `DescribeVpnConnections`; Reachability Analyzer, `BAD_STATE_VPN`.
pub(crate) fn down(connection: &VpnConnection) -> Option<StepText> {
    if connection.is_up() {
        return None;
    }
    let tunnels: Vec<String> = connection
        .tunnels
        .iter()
        .map(|tunnel| match tunnel.message.as_str() {
            "" => format!("{} is down", tunnel.outside),
            message => format!("{} is down ({message})", tunnel.outside),
        })
        .collect();
    let (why, advice) = if connection.state == "available" {
        (
            format!("none of its tunnels is up: {}", tunnels.join(", ")),
            "start a tunnel at the customer gateway".to_owned(),
        )
    } else {
        let advice = "wait until it is available, or create another".to_owned();
        (format!("its state is {}", connection.state), advice)
    };
    Some(
        StepText::blocked(&connection.id, Code::BadStateVpn, why, advice)
            .named(connection.tags.get("Name").cloned()),
    )
}
