use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;
use serde_json::json;
use transship::control::{ControlClient, ControlError};
use transship::ticket::Ticket;

use crate::cli::Context;
use crate::cli::error::CliError;

/// Print the line that another person needs to know this node: name@host:port#key.
///
/// A ticket is no secret: it says who the node is and where, and allows nothing. The host is --host, or the one in HOME/node.toml, or, for a node that
/// listens everywhere, the first address of this machine that is not its own loop.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  transship ticket\n  transship ticket --host files.example.org")]
pub(crate) struct TicketArgs {
    /// The name or address that the other machine reaches this one by
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &TicketArgs) -> Result<(), CliError> {
    let home = context.open_home()?;
    let identity = home.identity()?;
    let listening = match ControlClient::connect(&home).await {
        Ok(client) => client.info().await?.listening.first().copied(),
        Err(ControlError::NotRunning(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let address = listening.unwrap_or(home.settings().listen);
    if address.port() == 0 {
        return Err(CliError::usage("the port is not known before the node runs, because port 0 is set")
            .hint("start it with `transship serve`, or set a port in node.toml"));
    }
    let host = match args.host.clone().or_else(|| home.settings().host.clone()) {
        Some(host) => host,
        None => reachable(address).to_string(),
    };
    let ticket = Ticket::new(identity.name(), &host, address.port(), identity.key()).map_err(|error| CliError::usage(error.to_string()))?;
    context.ui.result(&json!({"ticket": ticket.to_string()}), &ticket.to_string())
}

/// The address that others reach: the one listened on, or for all of them the first that leads out of the machine.
fn reachable(address: SocketAddr) -> IpAddr {
    if !address.ip().is_unspecified() {
        return address.ip();
    }
    let all = if_addrs::get_if_addrs().unwrap_or_default();
    choose(all.iter().map(if_addrs::Interface::ip).collect())
}

fn choose(mut addresses: Vec<IpAddr>) -> IpAddr {
    addresses.retain(|ip| match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        // Addresses of one link need a zone, which differs from machine to machine.
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    });
    // IPv4 first: it is what a node that listens on 0.0.0.0 answers on.
    addresses.sort_by_key(|ip| !ip.is_ipv4());
    addresses.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_in_a_ticket_leads_to_this_machine_from_elsewhere_if_any_does() {
        let choose = |texts: &[&str]| super::choose(texts.iter().map(|text| text.parse().unwrap()).collect()).to_string();
        assert_eq!(choose(&["127.0.0.1", "169.254.0.1", "fe80::1", "2001:db8::1", "192.0.2.1"]), "192.0.2.1");
        assert_eq!(choose(&["::1", "2001:db8::1"]), "2001:db8::1");
        assert_eq!(choose(&["127.0.0.1", "::1"]), "127.0.0.1");
        assert_eq!(reachable("127.0.0.1:1".parse().unwrap()).to_string(), "127.0.0.1");
    }
}
