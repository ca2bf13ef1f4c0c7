//! Sockets that are marked or were redirected, and links of our own: what Linux has beyond the standard library.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Marks what a socket sends (`SO_MARK`), so that our own rules leave it alone. Needs `CAP_NET_ADMIN`.
pub fn mark(socket: &impl AsFd, mark: u32) -> io::Result<()> {
    SockRef::from(socket).set_mark(mark)
}

/// A connection whose packets are marked.
pub async fn connect(to: SocketAddr, with: u32) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    mark(&socket, with)?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A socket for datagrams to one address, which are marked.
pub(super) async fn datagrams(to: SocketAddr, with: u32) -> io::Result<UdpSocket> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    mark(&socket, with)?;
    socket.connect(to).await?;
    Ok(socket)
}

/// The address that a redirected connection was for (`SO_ORIGINAL_DST`).
///
/// A connection that was not redirected has none, or its own.
pub(super) fn original(stream: &TcpStream) -> io::Result<SocketAddr> {
    let socket = SockRef::from(stream);
    let original = match stream.local_addr()? {
        SocketAddr::V4(_) => socket.original_dst_v4()?,
        SocketAddr::V6(_) => socket.original_dst_v6()?,
    };
    original.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A link of our own that leads nowhere (`tun`). The kernel takes it away, with its addresses and routes, when the
/// descriptor is closed, however this process ends.
#[expect(unsafe_code, reason = "a link is made by an ioctl")]
pub(super) fn tun(name: &str) -> io::Result<OwnedFd> {
    let device: OwnedFd =
        std::fs::File::options().read(true).write(true).open("/dev/net/tun").map(OwnedFd::from)?;
    // SAFETY: zeros are a value of this structure of integers and unions of them.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays the NUL that ends it.
    let room = request.ifr_name.len().saturating_sub(1);
    if name.len() > room {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_TUN_EXCL;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).unwrap_or_else(|_| {
        libc::c_short::from_ne_bytes(u16::try_from(flags).unwrap_or_default().to_ne_bytes())
    });
    // SAFETY: the request is what this ioctl reads and writes, and outlives the call.
    let made = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if made == 0 { Ok(device) } else { Err(io::Error::last_os_error()) }
}
