"""The properties of the CloudFormation types that are read: a name outside them is warned of, AWS refuses it."""

from firewall.sources.findings import Findings
from firewall.sources.located import Node
from firewall.sources.reading import quoted, suggestion

GROUP = "AWS::EC2::SecurityGroup"
GROUP_INGRESS = "AWS::EC2::SecurityGroupIngress"
GROUP_EGRESS = "AWS::EC2::SecurityGroupEgress"
INSTANCE = "AWS::EC2::Instance"
INSTANCE_INTERFACE = "AWS::EC2::Instance NetworkInterface"  # an item of an instance's NetworkInterfaces
INTERFACE = "AWS::EC2::NetworkInterface"
ATTACHMENT = "AWS::EC2::NetworkInterfaceAttachment"
NETWORK_ACL = "AWS::EC2::NetworkAcl"
ACL_ENTRY = "AWS::EC2::NetworkAclEntry"
ACL_ASSOCIATION = "AWS::EC2::SubnetNetworkAclAssociation"
PREFIX_LIST = "AWS::EC2::PrefixList"
SUBNET = "AWS::EC2::Subnet"
SUBNET_BLOCK = "AWS::EC2::SubnetCidrBlock"
VPC = "AWS::EC2::VPC"
VPC_BLOCK = "AWS::EC2::VPCCidrBlock"

_INGRESS_RULE = """
    IpProtocol FromPort ToPort CidrIp CidrIpv6 Description SourcePrefixListId SourceSecurityGroupId
    SourceSecurityGroupName SourceSecurityGroupOwnerId
"""
_EGRESS_RULE = """
    IpProtocol FromPort ToPort CidrIp CidrIpv6 Description DestinationPrefixListId DestinationSecurityGroupId
"""
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html, one page for each type.
PROPERTIES = {
    kind: tuple(words.split())
    for kind, words in {
        GROUP: "GroupDescription GroupName SecurityGroupEgress SecurityGroupIngress Tags VpcId",
        GROUP_INGRESS: f"{_INGRESS_RULE} GroupId GroupName",
        GROUP_EGRESS: f"{_EGRESS_RULE} GroupId",
        "SecurityGroupIngress": _INGRESS_RULE,
        "SecurityGroupEgress": _EGRESS_RULE,
        PREFIX_LIST: "AddressFamily Entries MaxEntries PrefixListName Tags",
        INTERFACE: """
            ConnectionTrackingSpecification Description EnablePrimaryIpv6 GroupSet InterfaceType Ipv4PrefixCount
            Ipv4Prefixes Ipv6AddressCount Ipv6Addresses Ipv6PrefixCount Ipv6Prefixes PrivateIpAddress
            PrivateIpAddresses PublicIpDnsHostnameTypeSpecification SecondaryPrivateIpAddressCount SourceDestCheck
            SubnetId Tags
        """,
        ATTACHMENT: """
            DeleteOnTermination DeviceIndex EnaQueueCount EnaSrdSpecification InstanceId NetworkInterfaceId
        """,
        INSTANCE: """
            AdditionalInfo Affinity AvailabilityZone BlockDeviceMappings CpuOptions CreditSpecification
            DisableApiTermination EbsOptimized ElasticGpuSpecifications ElasticInferenceAccelerators EnclaveOptions
            HibernationOptions HostId HostResourceGroupArn IamInstanceProfile ImageId
            InstanceInitiatedShutdownBehavior InstanceType Ipv6AddressCount Ipv6Addresses KernelId KeyName
            LaunchTemplate LicenseSpecifications MetadataOptions Monitoring NetworkInterfaces PlacementGroupName
            PrivateDnsNameOptions PrivateIpAddress PropagateTagsToVolumeOnCreation RamdiskId SecurityGroupIds
            SecurityGroups SourceDestCheck SsmAssociations SubnetId Tags Tenancy UserData Volumes
        """,
        INSTANCE_INTERFACE: """
            AssociateCarrierIpAddress AssociatePublicIpAddress DeleteOnTermination Description DeviceIndex
            EnaSrdSpecification GroupSet Ipv6AddressCount Ipv6Addresses NetworkInterfaceId PrivateIpAddress
            PrivateIpAddresses SecondaryPrivateIpAddressCount SubnetId
        """,
        VPC: """
            CidrBlock EnableDnsHostnames EnableDnsSupport InstanceTenancy Ipv4IpamPoolId Ipv4NetmaskLength Tags
            VpcEncryptionControl
        """,
        VPC_BLOCK: """
            AmazonProvidedIpv6CidrBlock CidrBlock Ipv4IpamPoolId Ipv4NetmaskLength Ipv6CidrBlock
            Ipv6CidrBlockNetworkBorderGroup Ipv6IpamPoolId Ipv6NetmaskLength Ipv6Pool VpcId
        """,
        SUBNET: """
            AssignIpv6AddressOnCreation AvailabilityZone AvailabilityZoneId CidrBlock EnableDns64
            EnableLniAtDeviceIndex Ipv4IpamPoolId Ipv4NetmaskLength Ipv6CidrBlock Ipv6CidrBlocks Ipv6IpamPoolId
            Ipv6Native Ipv6NetmaskLength MapPublicIpOnLaunch OutpostArn PrivateDnsNameOptionsOnLaunch Tags VpcId
        """,
        SUBNET_BLOCK: "Ipv6CidrBlock Ipv6IpamPoolId Ipv6NetmaskLength SubnetId",
        NETWORK_ACL: "Tags VpcId",
        ACL_ENTRY: "CidrBlock Egress Icmp Ipv6CidrBlock NetworkAclId PortRange Protocol RuleAction RuleNumber",
        ACL_ASSOCIATION: "NetworkAclId SubnetId",
    }.items()
}


def check_properties(node: Node, kind: str, findings: Findings) -> None:
    """Warn of names that the type does not have; functions in their place are told elsewhere."""
    for name in node.value if isinstance(node.value, dict) else ():
        if name not in PROPERTIES[kind] and not name.startswith("Fn::"):
            hint = suggestion(name, PROPERTIES[kind])
            findings.warn("unknown-property", node.key(name), f"{kind} has no {quoted(name)}, it is left out: {hint}")
