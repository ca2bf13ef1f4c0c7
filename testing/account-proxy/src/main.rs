//! The proxy by itself: started on loopback, its address as one line of JSON, until Ctrl-C.

use std::process::ExitCode;

use account_proxy::Proxy;

const HELP: &str = "\
A proxy in front of moto's server that adds what AWS does and moto does not.

Usage: account-proxy --moto URL [OPTIONS]

  --moto URL        where moto's server is
  --listen ADDRESS  where to listen [127.0.0.1:0]

Ctrl-C ends it. Tests steer it below /account-proxy/.
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}\nhint: account-proxy --help");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), String> {
    let (mut listen, mut moto) = ("127.0.0.1:0".to_owned(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        if option == "--help" {
            print!("{HELP}");
            return Ok(());
        }
        let value = arguments.next().ok_or_else(|| format!("`{option}` needs a value"))?;
        match option.as_str() {
            "--listen" => listen = value,
            "--moto" => moto = Some(value),
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    let moto = moto.ok_or("`--moto` is missing")?;
    let proxy = Proxy::start(&listen, &moto).await.map_err(|error| format!("cannot listen: {error}"))?;
    println!("{}", serde_json::json!({"url": proxy.url}));
    tokio::signal::ctrl_c().await.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))?;
    proxy.stop();
    Ok(())
}
