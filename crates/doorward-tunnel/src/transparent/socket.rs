//! Three things of Linux's sockets and links that the standard library does not tell.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Marks what a socket sends (`SO_MARK`), so that our own rules leave it alone. Needs `CAP_NET_ADMIN`.
#[expect(unsafe_code, reason = "the standard library does not set this option")]
pub fn mark(socket: &impl AsFd, mark: u32) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<u32>()).unwrap_or_default();
    // SAFETY: the descriptor is open for as long as it is borrowed, and `mark` is read for its own length.
    let set = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MARK,
            (&raw const mark).cast(),
            length,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A connection whose packets bear the mark.
pub async fn connect(to: SocketAddr, with: u32) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    mark(&socket, with)?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A socket for datagrams to one place; they bear the mark.
pub(super) async fn datagrams(to: SocketAddr, with: u32) -> io::Result<UdpSocket> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    mark(&socket, with)?;
    socket.connect(to).await?;
    Ok(socket)
}

/// Where a redirected connection was going to.
///
/// A connection that was not redirected has no such place, or its own.
pub(super) fn original(stream: &TcpStream) -> io::Result<SocketAddr> {
    match stream.local_addr()? {
        SocketAddr::V4(_) => {
            let place: libc::sockaddr_in = option(stream, libc::SOL_IP, libc::SO_ORIGINAL_DST)?;
            let address = Ipv4Addr::from(u32::from_be(place.sin_addr.s_addr));
            Ok((address, u16::from_be(place.sin_port)).into())
        }
        SocketAddr::V6(_) => {
            let place: libc::sockaddr_in6 = option(stream, libc::SOL_IPV6, libc::IP6T_SO_ORIGINAL_DST)?;
            Ok((Ipv6Addr::from(place.sin6_addr.s6_addr), u16::from_be(place.sin6_port)).into())
        }
    }
}

/// Socket addresses as C has them: any bytes are one.
trait Plain: Copy {}
impl Plain for libc::sockaddr_in {}
impl Plain for libc::sockaddr_in6 {}

#[expect(unsafe_code, reason = "the standard library does not ask for this option")]
fn option<T: Plain>(stream: &TcpStream, level: i32, name: i32) -> io::Result<T> {
    let mut length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default();
    // SAFETY: `T` is one of two structures of integers, for which zeros are a value; the kernel writes no more than
    // `length` bytes into it, and the descriptor is open for as long as `stream` is borrowed.
    let (got, place) = unsafe {
        let mut place: T = std::mem::zeroed();
        let got = libc::getsockopt(stream.as_raw_fd(), level, name, (&raw mut place).cast(), &raw mut length);
        (got, place)
    };
    if got == 0 { Ok(place) } else { Err(io::Error::last_os_error()) }
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
