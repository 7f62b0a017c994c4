"""What an import asks AWS for: calls, what is kept of their answers, the policy that allows them, refusals in words.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/OperationList-query.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html: each of these
actions has the name of its call and only reads; Describe actions can be allowed for all resources alone.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

Kept = Mapping[str, "Kept"]
PLAIN: Kept = {}  # a text, a number, true or false


def _keys(*plain: str, **nested: Kept) -> Kept:
    """Keys of an object: plain values, then objects and lists of objects."""
    return {**dict.fromkeys(plain, PLAIN), **nested}


# Keys that say something about rules, as the API writes them; every other key stays in the account: tags,
# the names of key pairs, user data, descriptions of instances and interfaces.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Types.html
_OTHER_GROUP = _keys("GroupId", "PeeringStatus", "UserId", "VpcId", "VpcPeeringConnectionId")
_PERMISSION = _keys(
    "FromPort",
    "IpProtocol",
    "ToPort",
    IpRanges=_keys("CidrIp", "Description"),
    Ipv6Ranges=_keys("CidrIpv6", "Description"),
    PrefixListIds=_keys("Description", "PrefixListId"),
    UserIdGroupPairs={**_OTHER_GROUP, **_keys("Description")},
)
_GROUP = _keys("GroupId", "GroupName", "OwnerId", "VpcId", IpPermissions=_PERMISSION, IpPermissionsEgress=_PERMISSION)
_RULE = _keys(
    "CidrIpv4",
    "CidrIpv6",
    "Description",
    "FromPort",
    "GroupId",
    "GroupOwnerId",
    "IpProtocol",
    "IsEgress",
    "PrefixListId",
    "SecurityGroupRuleId",
    "ToPort",
    ReferencedGroupInfo=_OTHER_GROUP,
)
_PUBLIC = _keys("PublicIp")
_INTERFACE = _keys(
    "InterfaceType",
    "MacAddress",
    "NetworkInterfaceId",
    "OwnerId",
    "PrivateIpAddress",
    "SourceDestCheck",
    "Status",
    "SubnetId",
    "VpcId",
    Association=_PUBLIC,
    Attachment=_keys("DeviceIndex", "InstanceId", "Status"),
    ConnectionTrackingConfiguration=_keys("TcpEstablishedTimeout", "UdpStreamTimeout", "UdpTimeout"),
    Groups=_keys("GroupId", "GroupName"),
    Ipv4Prefixes=_keys("Ipv4Prefix"),
    Ipv6Addresses=_keys("Ipv6Address"),
    Ipv6Prefixes=_keys("Ipv6Prefix"),
    PrivateIpAddresses=_keys("Primary", "PrivateIpAddress", Association=_PUBLIC),
)
_INSTANCE = _keys("InstanceId", "InstanceType", State=_keys("Name"))
_BLOCKS = _keys("CidrBlock", CidrBlockState=_keys("State"))
_BLOCKS_6 = _keys("Ipv6CidrBlock", Ipv6CidrBlockState=_keys("State"))
_VPC = _keys("CidrBlock", "OwnerId", "VpcId", CidrBlockAssociationSet=_BLOCKS, Ipv6CidrBlockAssociationSet=_BLOCKS_6)
_SUBNET = _keys("CidrBlock", "SubnetId", "VpcId", Ipv6CidrBlockAssociationSet=_BLOCKS_6)
_ACL_ENTRY = _keys(
    "CidrBlock",
    "Egress",
    "Ipv6CidrBlock",
    "Protocol",
    "RuleAction",
    "RuleNumber",
    IcmpTypeCode=_keys("Code", "Type"),
    PortRange=_keys("From", "To"),
)
_ACL = _keys("IsDefault", "NetworkAclId", "VpcId", Associations=_keys("NetworkAclId", "SubnetId"), Entries=_ACL_ENTRY)
_PREFIX_LIST = _keys("AddressFamily", "MaxEntries", "OwnerId", "PrefixListId", "PrefixListName", "Version")
_PEER_VPC = _keys("OwnerId", "Region", "VpcId")
_PEERING = _keys("VpcPeeringConnectionId", AccepterVpcInfo=_PEER_VPC, RequesterVpcInfo=_PEER_VPC, Status=_keys("Code"))


class Call(NamedTuple):
    """A call: its action, the list in its answer, the keys that the list is sorted by, what is kept of an item.

    `unknown` is what nobody can tell where the account does not allow the call; empty: nothing can be
    told without it. `page` is the largest MaxResults of the API.
    """

    action: str
    key: str
    order: tuple[str, ...]
    kept: Kept
    unknown: str = ""
    page: int = 1000

    @property
    def method(self) -> str:
        """The action as boto3 names it: describe_vpcs."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.action).lower()

    @property
    def permission(self) -> str:
        """The action as a policy names it: ec2:DescribeVpcs."""
        return f"ec2:{self.action}"


GROUPS = Call("DescribeSecurityGroups", "SecurityGroups", ("GroupId",), _GROUP)
RULES = Call(
    "DescribeSecurityGroupRules",
    "SecurityGroupRules",
    ("GroupId", "SecurityGroupRuleId"),
    _RULE,
    "rules have no ids (sgr-...) and are named by their place",
)
INTERFACES = Call("DescribeNetworkInterfaces", "NetworkInterfaces", ("NetworkInterfaceId",), _INTERFACE)
INSTANCES = Call(
    "DescribeInstances",
    "Reservations",
    ("ReservationId",),
    _keys(Instances=_INSTANCE),
    "the types of instances are unknown",
)
VPCS = Call(
    "DescribeVpcs", "Vpcs", ("VpcId",), _VPC, "the address blocks of VPCs are unknown, and with them the VPC's resolver"
)
SUBNETS = Call(
    "DescribeSubnets", "Subnets", ("SubnetId",), _SUBNET, "subnets are unknown, and with them their network ACLs"
)
ACLS = Call(
    "DescribeNetworkAcls", "NetworkAcls", ("NetworkAclId",), _ACL, "network ACLs are unknown: verdicts leave them out"
)
PREFIX_LISTS = Call(
    "DescribeManagedPrefixLists",
    "PrefixLists",
    ("PrefixListId",),
    _PREFIX_LIST,
    "names and sizes of prefix lists are unknown",
    page=100,
)
PEERINGS = Call(
    "DescribeVpcPeeringConnections",
    "VpcPeeringConnections",
    ("VpcPeeringConnectionId",),
    _PEERING,
    "the state of peering connections is known only where a rule says it",
)
ENTRIES = Call(
    "GetManagedPrefixListEntries",
    "Entries",
    ("Cidr",),
    _keys("Cidr"),
    "packets that hang on a prefix list cannot be decided",
    page=100,
)

LISTS = (GROUPS, RULES, INTERFACES, INSTANCES, VPCS, SUBNETS, ACLS, PREFIX_LISTS, PEERINGS)
CALLS = (*LISTS, ENTRIES)  # entries are asked for list by list


def policy() -> str:
    """The smallest IAM policy that allows an import, as JSON."""
    statement = {
        "Effect": "Allow",
        "Action": sorted(call.permission for call in CALLS),
        "Resource": "*",  # Describe calls know no other
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


def pruned(value: Any, kept: Kept) -> Any:
    """A value of an answer with the kept keys alone."""
    if isinstance(value, list):
        return [pruned(each, kept) for each in value]
    if isinstance(value, dict):
        return {key: pruned(item, kept[key]) for key, item in value.items() if key in kept}
    return value


# --- refusals ------------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, common client errors
DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
NO_LIST = ("InvalidPrefixListID.NotFound", "InvalidPrefixListId.NotFound")  # both spellings occur

_EXPIRED = "the credentials have expired: get new ones (aws sso login, aws login), or new temporary keys"
_NOT_ACCEPTED = (
    "AWS does not accept the credentials: check keys and session token, this machine's clock, "
    "and that the account has the region enabled"
)
_THROTTLED = "AWS asks for fewer calls, also after several tries: wait a minute and import again"
CODES = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": _EXPIRED + "; or set this machine's clock",
    "AuthFailure": _NOT_ACCEPTED,
    "InvalidClientTokenId": _NOT_ACCEPTED,
    "SignatureDoesNotMatch": _NOT_ACCEPTED,
    "UnrecognizedClientException": _NOT_ACCEPTED,
    "OptInRequired": "the account has not enabled EC2 or this region: enable it, or name another with --region",
    "RequestLimitExceeded": _THROTTLED,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
}

# Classes of botocore.exceptions and botocore.parsers, by name so that --help need not load them.
_NONE = "no credentials were found: log in (aws sso login, aws configure), name a profile with --aws-profile, or set"
_NONE += " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_RENEW = "the credentials cannot be had: log in again (aws sso login, aws login), or name another with --aws-profile"
_UNREACHED = "cannot be reached: check --region, --endpoint-url, the network and its proxy"
EXCEPTIONS = {
    "NoCredentialsError": _NONE,
    "NoAuthTokenError": _NONE,
    "PartialCredentialsError": "the credentials are incomplete: give the access key and the secret key",
    "CredentialRetrievalError": _RENEW,
    "TokenRetrievalError": _RENEW,
    "SSOError": _RENEW,
    "LoginError": _RENEW,
    "ProfileNotFound": "no such profile: `aws configure list-profiles` names those that exist",
    "NoRegionError": "no region: name one with --region",
    "InvalidRegionError": "this is no region's name: write one like eu-central-1",
    "ConnectionError": _UNREACHED,
    "HTTPClientError": _UNREACHED,
    "ResponseParserError": "no EC2 API answers there: check --endpoint-url",
    "ValueError": "no EC2 API answers there: check --endpoint-url",
}
