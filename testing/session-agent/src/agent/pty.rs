//! A terminal for a shell: the few calls that the standard library has not.
#![expect(unsafe_code, reason = "openpty, the controlling terminal and its size are system calls")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Stdio;

use tokio::io::unix::AsyncFd;
use tokio::process::{Child, Command};

/// The master's side of a terminal.
pub(super) struct Pty {
    master: AsyncFd<File>,
}

/// Starts a command in a terminal of its own.
pub(super) fn start(command: &mut Command) -> io::Result<(Pty, Child)> {
    let (mut master, mut slave) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: both descriptors are written before they are read, and null asks for the defaults.
    if unsafe { libc::openpty(&raw mut master, &raw mut slave, none, std::ptr::null(), std::ptr::null()) }
        != 0
    {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: openpty made both, and nobody else owns them.
    let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    // SAFETY: the descriptor is open; the child must not inherit it, and reading must not wait.
    unsafe {
        libc::fcntl(master.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(master.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK);
    }
    command
        .stdin(Stdio::from(slave.try_clone()?))
        .stdout(Stdio::from(slave.try_clone()?))
        .stderr(Stdio::from(slave));
    // SAFETY: these calls are safe between fork and exec, and allocate nothing.
    unsafe {
        command.pre_exec(|| {
            // Whoever was started in the background ignores them, and so would the shell.
            for signal in [libc::SIGINT, libc::SIGQUIT] {
                libc::signal(signal, libc::SIG_DFL);
            }
            if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let child = command.kill_on_drop(true).spawn()?;
    // The command holds the slave's descriptors; dropped here, the last of them is the child's.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: the file owns its descriptor, and nothing replaces or closes it while this lives.
    let master = unsafe { AsyncFd::register(master)? };
    Ok((Pty { master }, child))
}

impl Pty {
    /// What the terminal shows next; 0 bytes when nobody is left in it.
    pub(super) async fn read(&self, into: &mut [u8]) -> usize {
        use std::io::Read as _;
        let read = self.master.async_io(tokio::io::Interest::READABLE, |mut master| master.read(into)).await;
        // EIO is how Linux says that the last process has closed it.
        read.unwrap_or(0)
    }

    /// Types into the terminal.
    pub(super) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        use std::io::Write as _;
        while !bytes.is_empty() {
            let written =
                self.master.async_io(tokio::io::Interest::WRITABLE, |mut master| master.write(bytes)).await?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Gives the terminal a size; the processes in it are told.
    pub(super) fn resize(&self, columns: u16, rows: u16) {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open, and the call reads one winsize.
        unsafe {
            libc::ioctl(self.master.get_ref().as_raw_fd(), libc::TIOCSWINSZ, &raw const size);
        }
    }
}
