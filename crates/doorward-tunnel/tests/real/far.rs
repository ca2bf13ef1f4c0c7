//! What stands on the far side: small servers of the test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server; it ends with its runtime.
pub struct Far {
    /// Where it listens.
    pub address: SocketAddr,
    /// How many connections it holds.
    pub open: Arc<AtomicUsize>,
}

impl Far {
    /// One that does this with each connection.
    pub async fn new<F, A>(each: F) -> Self
    where
        F: Fn(TcpStream) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
        let address = listener.local_addr().expect("an address");
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let answer = each(stream);
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    counted.fetch_add(1, Ordering::Relaxed);
                    answer.await;
                    counted.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, open }
    }

    /// One that says everything back.
    pub async fn echo() -> Self {
        Self::new(|mut stream| async move {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        })
        .await
    }

    /// One that reads to the end, and then says the digest and the size of what it read.
    pub async fn digest() -> Self {
        Self::new(|mut stream| async move {
            let said = digest(&mut stream).await;
            let _ = stream.write_all(said.as_bytes()).await;
            let _ = stream.shutdown().await;
        })
        .await
    }

    /// One that says so many bytes of noise, and then ends.
    pub async fn noise(size: usize) -> Self {
        Self::new(move |mut stream| async move {
            let _ = write_noise(&mut stream, size).await;
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await
    }
}

/// Reads to the end; the digest and the size.
pub async fn digest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let (mut buffer, mut size) = (vec![0; 256 * 1024], 0_usize);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => {
                context.update(&buffer[..read]);
                size += read;
            }
            Err(error) => return format!("{error} after {size}"),
        }
    }
    format!("{:?} {size}", context.finish())
}

/// A block of noise: every one differs from the others.
fn block(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut block = Vec::with_capacity(64 * 1024);
    while block.len() < 64 * 1024 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.extend_from_slice(&state.to_le_bytes());
    }
    block
}

/// Writes so many bytes of noise.
pub async fn write_noise(stream: &mut (impl AsyncWrite + Unpin), size: usize) -> std::io::Result<()> {
    let mut left = size;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let block = block(number);
        let part = left.min(block.len());
        stream.write_all(&block[..part]).await?;
        left -= part;
    }
    stream.flush().await
}

/// The digest and the size of so many bytes of noise.
pub fn digest_of_noise(size: usize) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut left = size;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let block = block(number);
        let part = left.min(block.len());
        context.update(&block[..part]);
        left -= part;
    }
    format!("{:?} {size}", context.finish())
}
