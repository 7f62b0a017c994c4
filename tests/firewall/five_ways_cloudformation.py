"""The estate of five_ways.py as a CloudFormation template."""

CLOUDFORMATION = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Resolver: {Type: String, Default: 192.0.2.53}
Resources:
  Main:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16}
  MainIpv6:
    Type: AWS::EC2::VPCCidrBlock
    Properties: {VpcId: !Ref Main, Ipv6CidrBlock: "2001:db8:1::/56"}
  Front:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Main, CidrBlock: 10.0.1.0/24, Ipv6CidrBlock: "2001:db8:1::/64"}
  Back:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Main, CidrBlock: 10.0.2.0/24}
  Office:
    Type: AWS::EC2::PrefixList
    Properties:
      PrefixListName: office
      AddressFamily: IPv4
      MaxEntries: 20
      Entries: [{Cidr: 198.51.100.0/24}, {Cidr: 203.0.113.0/24}]
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupName: web
      GroupDescription: anybody may ask
      VpcId: !Ref Main
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}
        - {IpProtocol: tcp, FromPort: "443", ToPort: "443", CidrIpv6: "::/0"}
        - IpProtocol: tcp
          FromPort: 22
          ToPort: 22
          SourcePrefixListId: !GetAtt Office.PrefixListId
          Description: maintenance
        - {IpProtocol: icmp, FromPort: 8, ToPort: -1, CidrIp: 0.0.0.0/0}
        - {IpProtocol: icmpv6, FromPort: 128, ToPort: -1, CidrIpv6: "::/0"}
      SecurityGroupEgress:
        - {IpProtocol: udp, FromPort: 53, ToPort: 53, CidrIp: !Sub "${Resolver}/32"}
  App:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupName: app, GroupDescription: asks the database, VpcId: !Ref Main}
  Db:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupName: db
      GroupDescription: answers the application
      VpcId: !Ref Main
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 3306, ToPort: 3306, SourceSecurityGroupId: !GetAtt App.GroupId}
      SecurityGroupEgress:
        - {IpProtocol: "-1", CidrIp: 127.0.0.1/32}
  Ask:
    Type: AWS::EC2::SecurityGroupEgress
    Properties:
      GroupId: !Ref App
      IpProtocol: tcp
      FromPort: 3306
      ToPort: 3306
      DestinationSecurityGroupId: !Ref Db
  WebInterface:
    Type: AWS::EC2::NetworkInterface
    Properties:
      SubnetId: !Ref Front
      GroupSet: [!Ref Web]
      PrivateIpAddress: 10.0.1.10
      Ipv6Addresses: [{Ipv6Address: "2001:db8:1::10"}]
  AppInterface:
    Type: AWS::EC2::NetworkInterface
    Properties: {SubnetId: !Ref Front, GroupSet: [!GetAtt App.GroupId], PrivateIpAddress: 10.0.1.20}
  DbInterface:
    Type: AWS::EC2::NetworkInterface
    Properties: {SubnetId: !Ref Back, GroupSet: [!GetAtt Db.GroupId], PrivateIpAddress: 10.0.2.30}
  Edge:
    Type: AWS::EC2::NetworkAcl
    Properties: {VpcId: !Ref Main}
  EdgeOfFront:
    Type: AWS::EC2::SubnetNetworkAclAssociation
    Properties: {SubnetId: !Ref Front, NetworkAclId: !Ref Edge}
  EdgeNoSsh:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      NetworkAclId: !Ref Edge
      RuleNumber: 90
      Protocol: 6
      RuleAction: deny
      CidrBlock: 203.0.113.9/32
      PortRange: {From: 22, To: 22}
  EdgeIn:
    Type: AWS::EC2::NetworkAclEntry
    Properties: {NetworkAclId: !Ref Edge, RuleNumber: 100, Protocol: -1, RuleAction: allow, CidrBlock: 0.0.0.0/0}
  EdgeIn6:
    Type: AWS::EC2::NetworkAclEntry
    Properties: {NetworkAclId: !Ref Edge, RuleNumber: 101, Protocol: -1, RuleAction: allow, Ipv6CidrBlock: "::/0"}
  EdgeOut:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      {NetworkAclId: !Ref Edge, RuleNumber: 100, Protocol: -1, RuleAction: allow, Egress: true, CidrBlock: 0.0.0.0/0}
  EdgeOut6:
    Type: AWS::EC2::NetworkAclEntry
    Properties:
      NetworkAclId: !Ref Edge
      RuleNumber: 110
      Protocol: 58
      RuleAction: allow
      Egress: true
      Ipv6CidrBlock: "::/0"
      Icmp: {Type: 129, Code: -1}
"""
