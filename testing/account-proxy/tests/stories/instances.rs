//! Instances, images and launch templates.

use crate::Test;
use crate::aws::Aws;

pub fn tests() -> Vec<Test> {
    vec![
        ("an instance takes time to run, to stop and to go", a_life),
        ("an instance that is terminated holds its group until it is", holds_its_group),
        ("an instance that is protected is not terminated", protected),
        ("an image that does not exist starts nothing", unknown_image),
        ("an image is pending before it is available, and its name is unique", images),
        ("an image fails if the test says so", image_fails),
        ("a version of a launch template inherits from its source", inherits),
        ("an interface that is in use is not deleted", interface_in_use),
        ("groups of an instance are those of its primary interface", groups),
        ("groups of another VPC are refused", other_network),
        ("an interface that was attached stays when its instance goes", attached_stays),
    ]
}

fn state(aws: &Aws, id: &str) -> String {
    let found = aws.ec2("DescribeInstances", &[("InstanceId.1", id)]).ok();
    found.text_at("reservationSet/item/instancesSet/item/instanceState/name").to_owned()
}

fn a_life(aws: &Aws) {
    let network = aws.network();
    let fields =
        [("ImageId", &*aws.image()), ("MinCount", "1"), ("MaxCount", "1"), ("SubnetId", &network.subnets[0])];
    let id = aws.text("RunInstances", &fields, "instancesSet/item/instanceId");
    let running = |aws: &Aws| {
        let fields = [("Filter.1.Name", "instance-state-name"), ("Filter.1.Value.1", "running")];
        aws.ec2("DescribeInstances", &fields).ok().list("reservationSet").len()
    };
    assert_eq!((state(aws, &id).as_str(), running(aws)), ("pending", 0));
    assert_eq!(aws.ec2("StopInstances", &[("InstanceId.1", &id)]).code(), "IncorrectInstanceState");
    aws.advance(30);
    assert_eq!((state(aws, &id).as_str(), running(aws)), ("running", 1));
    let stopped = aws.ec2("StopInstances", &[("InstanceId.1", &id)]).ok();
    assert_eq!(stopped.text_at("instancesSet/item/currentState/name"), "stopping");
    assert_eq!(stopped.text_at("instancesSet/item/previousState/name"), "running");
    assert_eq!(aws.ec2("StartInstances", &[("InstanceId.1", &id)]).code(), "IncorrectInstanceState");
    aws.advance(60);
    assert_eq!(state(aws, &id), "stopped");
    aws.ec2("StartInstances", &[("InstanceId.1", &id)]).ok();
    assert_eq!(state(aws, &id), "pending");
    aws.advance(30);
    let gone = aws.ec2("TerminateInstances", &[("InstanceId.1", &id)]).ok();
    assert_eq!(gone.text_at("instancesSet/item/currentState/name"), "shutting-down");
    assert_eq!(gone.text_at("instancesSet/item/currentState/code"), "32");
    assert_eq!(state(aws, &id), "shutting-down");
    aws.advance(60);
    assert_eq!(state(aws, &id), "terminated");
    aws.advance(3_600);
    assert_eq!(state(aws, &id), "");
}

fn holds_its_group(aws: &Aws) {
    let network = aws.network();
    let id = aws.instance(&network);
    let delete = || aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]);
    assert_eq!(delete().code(), "DependencyViolation");
    aws.ec2("TerminateInstances", &[("InstanceId.1", &id)]).ok();
    assert_eq!(delete().code(), "DependencyViolation");
    aws.advance(60);
    delete().ok();
}

fn protected(aws: &Aws) {
    let id = aws.instance(&aws.network());
    let fields = [("InstanceId", id.as_str()), ("DisableApiTermination.Value", "true")];
    aws.ec2("ModifyInstanceAttribute", &fields).ok();
    assert_eq!(aws.ec2("TerminateInstances", &[("InstanceId.1", &id)]).code(), "OperationNotPermitted");
    assert_eq!(state(aws, &id), "running");
}

fn unknown_image(aws: &Aws) {
    let fields = [("ImageId", "ami-0123456789abcdef0"), ("MinCount", "1"), ("MaxCount", "1")];
    assert_eq!(aws.ec2("RunInstances", &fields).code(), "InvalidAMIID.NotFound");
}

fn image_state(aws: &Aws, id: &str) -> String {
    aws.text("DescribeImages", &[("ImageId.1", id)], "imagesSet/item/imageState")
}

fn images(aws: &Aws) {
    let instance = aws.instance(&aws.network());
    let fields = [
        ("InstanceId", instance.as_str()),
        ("Name", "release-1"),
        ("TagSpecification.1.ResourceType", "image"),
        ("TagSpecification.1.Tag.1.Key", "step"),
        ("TagSpecification.1.Tag.1.Value", "7"),
        ("TagSpecification.2.ResourceType", "snapshot"),
        ("TagSpecification.2.Tag.1.Key", "step"),
        ("TagSpecification.2.Tag.1.Value", "8"),
    ];
    let id = aws.text("CreateImage", &fields, "imageId");
    assert_eq!(aws.text("DescribeImages", &[("ImageId.1", &id)], "imagesSet/item/tagSet/item/value"), "7");
    let fields = [("Filter.1.Name", "tag:step"), ("Filter.1.Value.1", "8")];
    assert_eq!(aws.ec2("DescribeSnapshots", &fields).ok().list("snapshotSet").len(), 1);
    assert_eq!(image_state(aws, &id), "pending");
    let again = [("InstanceId", instance.as_str()), ("Name", "release-1")];
    assert_eq!(aws.ec2("CreateImage", &again).code(), "InvalidAMIName.Duplicate");
    let run = [("ImageId", id.as_str()), ("MinCount", "1"), ("MaxCount", "1")];
    assert_eq!(aws.ec2("RunInstances", &run).code(), "InvalidAMIID.Unavailable");
    aws.advance(240);
    assert_eq!(image_state(aws, &id), "available");
    aws.ec2("RunInstances", &run).ok();
}

fn image_fails(aws: &Aws) {
    let instance = aws.instance(&aws.network());
    aws.set("endings", "[{\"of\": \"image\"}]");
    let id = aws.text("CreateImage", &[("InstanceId", &instance), ("Name", "broken")], "imageId");
    aws.advance(240);
    assert_eq!(image_state(aws, &id), "failed");
}

fn inherits(aws: &Aws) {
    let network = aws.network();
    let image = aws.image();
    let fields = [
        ("LaunchTemplateName", "web"),
        ("LaunchTemplateData.ImageId", "ami-old"),
        ("LaunchTemplateData.InstanceType", "t4g.micro"),
        ("LaunchTemplateData.SecurityGroupId.1", &network.group),
    ];
    aws.ec2("CreateLaunchTemplate", &fields).ok();
    let fields = [
        ("LaunchTemplateName", "web"),
        ("SourceVersion", "1"),
        ("LaunchTemplateData.ImageId", image.as_str()),
    ];
    aws.ec2("CreateLaunchTemplateVersion", &fields).ok();
    let fields = [("LaunchTemplateName", "web"), ("LaunchTemplateVersion.1", "2")];
    let found = aws.ec2("DescribeLaunchTemplateVersions", &fields).ok();
    let data = found.at("launchTemplateVersionSet/item/launchTemplateData").unwrap();
    assert_eq!((data.text_at("imageId"), data.text_at("instanceType")), (image.as_str(), "t4g.micro"));
    assert!(data.mentions(&network.group), "{}", data.written());
}

fn interface_in_use(aws: &Aws) {
    let id = aws.instance(&aws.network());
    let found = aws.ec2("DescribeInstances", &[("InstanceId.1", &id)]).ok();
    let path = "reservationSet/item/instancesSet/item/networkInterfaceSet/item/networkInterfaceId";
    let fields = [("NetworkInterfaceId", found.text_at(path))];
    assert_eq!(aws.ec2("DeleteNetworkInterface", &fields).code(), "InvalidParameterValue");
}

fn attached_stays(aws: &Aws) {
    let network = aws.network();
    let fields = [("SubnetId", network.subnets[0].as_str()), ("SecurityGroupId.1", &network.group)];
    let own = aws.text("CreateNetworkInterface", &fields, "networkInterface/networkInterfaceId");
    let id = aws.instance(&network);
    let fields = [("NetworkInterfaceId", own.as_str()), ("InstanceId", &id), ("DeviceIndex", "1")];
    aws.ec2("AttachNetworkInterface", &fields).ok();
    assert_eq!(aws.interfaces("subnet-id", &network.subnets[0]).len(), 2);
    aws.ec2("TerminateInstances", &[("InstanceId.1", &id)]).ok();
    aws.advance(60);
    let [left] = &aws.interfaces("subnet-id", &network.subnets[0])[..] else { panic!("one interface") };
    assert_eq!((left.text_at("networkInterfaceId"), left.text_at("status")), (own.as_str(), "available"));
    aws.ec2("DeleteNetworkInterface", &[("NetworkInterfaceId", &own)]).ok();
}

fn groups(aws: &Aws) {
    let network = aws.network();
    let image = aws.image();
    let fields = [
        ("ImageId", image.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SubnetId", &network.subnets[0]),
        ("NetworkInterface.1.SecurityGroupId.1", &network.group),
    ];
    let id = aws.text("RunInstances", &fields, "instancesSet/item/instanceId");
    let shown = || {
        let found = aws.ec2("DescribeInstances", &[("InstanceId.1", &id)]).ok();
        found.at("reservationSet/item/instancesSet/item").unwrap().texts("groupSet", "groupId")
    };
    assert_eq!(shown(), [network.group.as_str()]);
    let other = aws.group(&network.vpc, "other");
    aws.ec2("ModifyInstanceAttribute", &[("InstanceId", &id), ("GroupId.1", &other)]).ok();
    aws.ec2("ModifyInstanceAttribute", &[("InstanceId", &id), ("SourceDestCheck.Value", "false")]).ok();
    let [interface] = &aws.interfaces("group-id", &other)[..] else { panic!("one interface") };
    assert_eq!(interface.text_at("sourceDestCheck"), "false");
    assert_eq!(shown(), [other.as_str()]);
    aws.ec2("DeleteSecurityGroup", &[("GroupId", &network.group)]).ok();
}

fn other_network(aws: &Aws) {
    let network = aws.network();
    let vpc = aws.vpc("10.1.0.0/16");
    let group = aws.group(&vpc, "other");
    let fields = [("SubnetId", network.subnets[0].as_str()), ("SecurityGroupId.1", &group)];
    assert_eq!(aws.ec2("CreateNetworkInterface", &fields).code(), "InvalidParameter");
    let image = aws.image();
    let run: Vec<(&str, &str)> = [("ImageId", image.as_str()), ("MinCount", "1"), ("MaxCount", "1")]
        .into_iter()
        .chain(fields)
        .collect();
    assert_eq!(aws.ec2("RunInstances", &run).code(), "InvalidParameter");
}
