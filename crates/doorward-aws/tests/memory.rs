//! Reading a recording costs at most four times the file, by what the kernel counts for this process.
//!
//! The only test of its program, since the peak of a process is everybody's.

use std::io::{BufWriter, Write as _};

use doorward_aws::recorded;

/// The most memory that this process had at once, in bytes.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// As `jq -c` writes it, which leaves the least text for each thing. Each group has two rules, each interface is in one.
fn answers(things: u32, into: &mut impl std::io::Write) -> std::io::Result<()> {
    into.write_all(br#"{"SecurityGroupRules":["#)?;
    for number in 0..things {
        let comma = if number == 0 { "" } else { "," };
        write!(
            into,
            r#"{comma}{{"SecurityGroupRuleId":"sgr-{number:017x}","GroupId":"sg-{:017x}","GroupOwnerId":"123456789012","IsEgress":false,"IpProtocol":"tcp","FromPort":{},"ToPort":{},"CidrIpv4":"10.{}.{}.0/24","Tags":[],"SecurityGroupRuleArn":"arn:aws:ec2:eu-west-1:123456789012:security-group-rule/sgr-{number:017x}"}}"#,
            number / 2,
            1 + number % 60_000,
            1 + number % 60_000,
            number / 256 % 256,
            number % 256,
        )?;
    }
    into.write_all(br#"],"NetworkInterfaces":["#)?;
    for number in 0..things {
        let comma = if number == 0 { "" } else { "," };
        let (high, low) = (number / 256 % 256, number % 256);
        write!(
            into,
            r#"{comma}{{"Attachment":{{"AttachTime":"2026-01-01T00:00:00+00:00","AttachmentId":"eni-attach-{number:017x}","DeleteOnTermination":true,"DeviceIndex":0,"NetworkCardIndex":0,"InstanceId":"i-{number:017x}","InstanceOwnerId":"123456789012","Status":"attached"}},"AvailabilityZone":"eu-west-1a","Description":"","Groups":[{{"GroupName":"app","GroupId":"sg-{:017x}"}}],"InterfaceType":"interface","Ipv6Addresses":[],"MacAddress":"02:00:00:00:00:00","NetworkInterfaceId":"eni-{number:017x}","OwnerId":"123456789012","PrivateDnsName":"ip-10-0-{high}-{low}.eu-west-1.compute.internal","PrivateIpAddress":"10.0.{high}.{low}","PrivateIpAddresses":[{{"Primary":true,"PrivateDnsName":"ip-10-0-{high}-{low}.eu-west-1.compute.internal","PrivateIpAddress":"10.0.{high}.{low}"}}],"RequesterManaged":false,"SourceDestCheck":true,"Status":"in-use","SubnetId":"subnet-{high:017x}","TagSet":[],"VpcId":"vpc-00000000000000001"}}"#,
            number / 2,
        )?;
    }
    into.write_all(b"]}")
}

#[test]
fn reading_costs_at_most_four_times_the_file() {
    const THINGS: u32 = 40_000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("account.json");
    let mut file = BufWriter::new(std::fs::File::create(&path).expect("a file"));
    answers(THINGS, &mut file).expect("written");
    file.flush().expect("written");
    drop(file);
    let size = std::fs::metadata(&path).expect("a file").len();
    let before = peak().expect("a peak");
    let account = recorded(folder.path()).expect("an account");
    let cost = peak().expect("a peak") - before;
    assert_eq!((account.interfaces.len(), account.groups.len()), (40_000, 20_000));
    let tenths = cost * 10 / size;
    println!("a file of {size} bytes cost {cost} bytes: {}.{} times the file", tenths / 10, tenths % 10);
    assert!(cost <= 4 * size, "{cost} bytes for a file of {size}");
}
