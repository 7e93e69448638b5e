# The module VpnClient. Parameters: its pages in Microsoft's documentation (windows-powershell-docs,
# docset/winserver2016-ps/VpnClient), but for those of jobs and remote PCs (-AsJob, -CimSession,
# -ThrottleLimit); what is not there is an error. As the real one, it does not see the
# $ErrorActionPreference of its callers.
Set-StrictMode -Version 3.0
Import-Module "$PSScriptRoot/Phonebook.psm1"

$Strategies = @{ Automatic = 0; Pptp = 1; L2tp = 3; Sstp = 5; Ikev2 = 7 }
$Encryptions = @{ NoEncryption = 0; Optional = 8; Required = 256; Maximum = 512; Custom = 1024 }
$Restrictions = @{ Pap = 8; Chap = 32; MSChapv2 = 512; Eap = 128; MachineCertificate = 0 }

function Find-Key($Table, $Value) {
    $Table.Keys | Where-Object { $Table[$_] -eq $Value }
}

function Get-Value($Entry, [string]$Name, $Default) {
    if ($Entry.Contains($Name)) { return $Entry[$Name] }
    return $Default
}

# $Target: what the error is about. Errors end the cmdlet alone, unless its caller wants otherwise.
function Write-Failure([string]$Text, [string]$Category, $Target) {
    $why = [StandIn.CimException]::new($Text)
    Write-Error -Exception $why -ErrorId 'VPN' -Category $Category -TargetObject $Target
}

function Test-Rights([bool]$ForAll, $Target) {
    if (-not $ForAll -or [StandIn.Pc]::Elevated) { return $true }
    Write-Failure 'Access is denied.' 'PermissionDenied' $Target
    return $false
}

# The entry of that name; none is an error.
function Get-Entry([bool]$ForAll, [string]$Name) {
    $entry = Find-Entry $ForAll $Name
    if ($entry) { return $entry }
    Write-Failure "VPN connection $Name was not found. : The system cannot find the file specified." 'ObjectNotFound' $Name
}

function Get-Key([bool]$ForAll, [string]$Name) {
    if ($ForAll) { return "*\$Name" }
    return "$([StandIn.Pc]::Sid)\$Name"
}

function Test-Connected([bool]$ForAll, [string]$Name) {
    return [StandIn.Pc]::Section('connected').ContainsKey((Get-Key $ForAll $Name))
}

# Triggers and proxy of a user's connection: they are not in the phone book.
function Get-Extras([string]$Section, [string]$Name) {
    $table = [StandIn.Pc]::Section($Section)
    $key = Get-Key $false $Name
    if (-not $table.ContainsKey($key)) { $table[$key] = [StandIn.Pc]::NewTable() }
    return , $table[$key]
}

function ConvertTo-Connection([bool]$ForAll, $Entry) {
    $eap = Get-Value $Entry 'CustomAuthData' ''
    $methods = $Restrictions.Keys | Where-Object { $Restrictions[$_] -band [int](Get-Value $Entry 'AuthRestrictions' 512) }
    $found = [pscustomobject]@{
        Name                  = $Entry['Name']
        ServerAddress         = Get-Value $Entry 'PhoneNumber' ''
        AllUserConnection     = $ForAll
        Guid                  = Get-Value $Entry 'Guid' ''
        TunnelType            = Find-Key $Strategies ([int](Get-Value $Entry 'VpnStrategy' 0))
        AuthenticationMethod  = [string[]]@($methods)
        EncryptionLevel       = Find-Key $Encryptions ([int](Get-Value $Entry 'DataEncryption' 256))
        L2tpIPsecAuth         = ''
        UseWinlogonCredential = (Get-Value $Entry 'AutoLogon' '0') -eq '1'
        EapConfigXmlStream    = if ($eap) { [xml][Text.Encoding]::UTF8.GetString([Convert]::FromHexString($eap)) }
        ConnectionStatus      = ('Disconnected', 'Connected')[(Test-Connected $ForAll $Entry['Name'])]
        NapState              = 'NotConnected'
        RememberCredential    = (Get-Value $Entry 'CacheCredentials' '0') -eq '1'
        SplitTunneling        = (Get-Value $Entry 'IpPrioritizeRemote' '1') -eq '0'
        DnsSuffix             = Get-Value $Entry 'IpDnsSuffix' ''
        IdleDisconnectSeconds = [uint32](Get-Value $Entry 'IdleDisconnectSeconds' 0)
        Routes                = @(Get-Route $Entry)
        Proxy                 = $null
    }
    if (-not $ForAll) {
        $proxy = Get-Extras 'proxies' $Entry['Name']
        if ($proxy.Count) { $found.Proxy = ConvertTo-Proxy $Entry['Name'] $proxy }
    }
    return $found
}

function ConvertTo-Proxy([string]$Name, $Proxy) {
    return [pscustomobject]@{
        ConnectionName          = $Name
        AutoDetect              = [bool]$Proxy['AutoDetect']
        AutoConfigurationScript = [string]$Proxy['AutoConfigurationScript']
        ProxyServer             = [string]$Proxy['ProxyServer']
        BypassProxyForLocal     = [bool]$Proxy['BypassProxyForLocal']
        ExceptionPrefix         = [string[]]@($Proxy['ExceptionPrefix'] | Where-Object { $_ })
    }
}

function Get-Route($Entry) {
    foreach ($one in (Get-Value $Entry 'Routes' '') -split ',' | Where-Object { $_ }) {
        $prefix, $metric = $one -split '@'
        [pscustomobject]@{ DestinationPrefix = $prefix; RouteMetric = [uint32]$metric }
    }
}

function Set-Route($Entry, $Routes) {
    $Entry['Routes'] = @($Routes | ForEach-Object { "$($_.DestinationPrefix)@$($_.RouteMetric)" }) -join ','
}

# What Windows refuses; says nothing where all is well.
function Find-Fault($Given) {
    $methods = @($Given['AuthenticationMethod'] | Where-Object { $_ })
    if ($methods -contains 'Eap' -and $methods.Count -gt 1) { return 'EAP cannot be combined with other methods.' }
    $xml = $Given['EapConfigXmlStream']
    if ($xml -and $methods -notcontains 'Eap') { return 'EapConfigXmlStream is for the authentication method Eap alone.' }
    if ($xml -and $xml.DocumentElement.NamespaceURI -ne 'http://www.microsoft.com/provisioning/EapHostConfig') {
        return 'The EAP configuration is not valid.'
    }
    if ($methods -contains 'MachineCertificate' -and $Given['TunnelType'] -ne 'Ikev2') { return 'MachineCertificate is for IKEv2.' }
}

# Puts what was given into the entry.
function Set-Values($Entry, $Given) {
    foreach ($name in $Given.Keys) {
        $value = $Given[$name]
        switch ($name) {
            'ServerAddress' { $Entry['PhoneNumber'] = $value }
            'TunnelType' { $Entry['VpnStrategy'] = $Strategies[$value] }
            'EncryptionLevel' { $Entry['DataEncryption'] = $Encryptions[$value] }
            'RememberCredential' { $Entry['CacheCredentials'] = [int][bool]$value }
            'SplitTunneling' { $Entry['IpPrioritizeRemote'] = [int](-not [bool]$value) }
            'UseWinlogonCredential' { $Entry['AutoLogon'] = [int][bool]$value }
            'DnsSuffix' { $Entry['IpDnsSuffix'] = $value }
            'IdleDisconnectSeconds' { $Entry['IdleDisconnectSeconds'] = $value }
            'AuthenticationMethod' { Set-Method $Entry $value }
            'EapConfigXmlStream' { $Entry['CustomAuthData'] = [Convert]::ToHexString([Text.Encoding]::UTF8.GetBytes($value.OuterXml)) }
        }
    }
}

function Set-Method($Entry, [string[]]$Methods) {
    $bits = 0
    foreach ($one in $Methods) { $bits = $bits -bor $Restrictions[$one] }
    $Entry['AuthRestrictions'] = $bits
    if ($Methods -notcontains 'Eap') { $Entry.Remove('CustomAuthData') }
}

function Add-VpnConnection {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0)][ValidateLength(1, 255)][string]$Name,
        [Parameter(Mandatory, Position = 1)][ValidateNotNullOrEmpty()][string]$ServerAddress,
        [ValidateSet('Pptp', 'L2tp', 'Sstp', 'Ikev2', 'Automatic')][string]$TunnelType = 'Automatic',
        [switch]$AllUserConnection,
        [switch]$RememberCredential,
        [switch]$SplitTunneling,
        [switch]$Force,
        [switch]$PassThru,
        [string]$L2tpPsk,
        [switch]$UseWinlogonCredential,
        [object[]]$ServerList,
        [ValidateNotNullOrEmpty()][string]$DnsSuffix,
        [uint32]$IdleDisconnectSeconds,
        [xml]$EapConfigXmlStream,
        [ValidateSet('Pap', 'Chap', 'MSChapv2', 'Eap', 'MachineCertificate')][string[]]$AuthenticationMethod = 'MSChapv2',
        [ValidateSet('NoEncryption', 'Optional', 'Required', 'Maximum', 'Custom')][string]$EncryptionLevel = 'Required',
        [Security.Cryptography.X509Certificates.X509Certificate2]$MachineCertificateIssuerFilter,
        [string[]]$MachineCertificateEKUFilter
    )
    if (-not (Test-Rights $AllUserConnection $Name)) { return }
    if (Find-Entry $AllUserConnection $Name) {
        Write-Failure "The VPN connection $Name has already been created. : Cannot create a file when that file already exists." 'ResourceExists' $Name
        return
    }
    if ($Name -match '[\\/:*?"<>|]') { Write-Failure "The name $Name is not valid." 'InvalidArgument' $Name; return }
    $given = @{} + $PSBoundParameters
    foreach ($usual in 'TunnelType', 'AuthenticationMethod', 'EncryptionLevel') { $given[$usual] = Get-Variable $usual -ValueOnly }
    if ($fault = Find-Fault $given) { Write-Failure $fault 'InvalidArgument' $Name; return }
    $entry = [Collections.Specialized.OrderedDictionary]::new()
    $entry['Name'] = $Name
    $entry['Type'] = 2
    $entry['Guid'] = '{' + [guid]::NewGuid().ToString().ToUpper() + '}'
    $entry['IpPrioritizeRemote'] = 1
    $entry['CacheCredentials'] = 0
    Set-Values $entry $given
    Set-Entry $AllUserConnection $entry
    if ($PassThru) { ConvertTo-Connection $AllUserConnection $entry }
}

function Set-VpnConnection {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0)][string]$Name,
        [ValidateNotNullOrEmpty()][string]$ServerAddress,
        [switch]$AllUserConnection,
        [bool]$SplitTunneling,
        [bool]$RememberCredential,
        [ValidateSet('Pptp', 'L2tp', 'Sstp', 'Ikev2', 'Automatic')][string]$TunnelType,
        [switch]$PassThru,
        [switch]$Force,
        [string]$L2tpPsk,
        [ValidateSet('Pap', 'Chap', 'MSChapv2', 'Eap', 'MachineCertificate')][string[]]$AuthenticationMethod,
        [xml]$EapConfigXmlStream,
        [bool]$UseWinlogonCredential,
        [ValidateSet('NoEncryption', 'Optional', 'Required', 'Maximum', 'Custom')][string]$EncryptionLevel,
        [string[]]$MachineCertificateEKUFilter,
        [Security.Cryptography.X509Certificates.X509Certificate2]$MachineCertificateIssuerFilter,
        [object[]]$ServerList,
        [uint32]$IdleDisconnectSeconds,
        [ValidateNotNullOrEmpty()][string]$DnsSuffix
    )
    if (-not (Test-Rights $AllUserConnection $Name)) { return }
    $entry = Get-Entry $AllUserConnection $Name
    if (-not $entry) { return }
    if ($fault = Find-Fault $PSBoundParameters) { Write-Failure $fault 'InvalidArgument' $Name; return }
    Set-Values $entry $PSBoundParameters
    Set-Entry $AllUserConnection $entry
    if ($PassThru) { ConvertTo-Connection $AllUserConnection $entry }
}

function Get-VpnConnection {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$Name, [switch]$AllUserConnection)
    if (-not $Name) { Read-Book $AllUserConnection | ForEach-Object { ConvertTo-Connection $AllUserConnection $_ } }
    foreach ($one in $Name) {
        $entry = Get-Entry $AllUserConnection $one
        if ($entry) { ConvertTo-Connection $AllUserConnection $entry }
    }
}

function Remove-VpnConnection {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0)][string[]]$Name,
        [switch]$Force,
        [switch]$PassThru,
        [switch]$AllUserConnection
    )
    foreach ($one in $Name) {
        if (-not (Test-Rights $AllUserConnection $one)) { return }
        $entry = Get-Entry $AllUserConnection $one
        if (-not $entry) { continue }
        if (Test-Connected $AllUserConnection $one) {
            Write-Failure "The VPN connection $one cannot be removed while it is connected." 'InvalidOperation' $one
            continue
        }
        if (-not $Force) { throw [StandIn.Questions]::Unexpected("Remove the VPN connection $($one)?") }
        Remove-Entry $AllUserConnection $one
        if (-not $AllUserConnection) {
            foreach ($section in 'triggers', 'proxies', 'passwords') { $null = [StandIn.Pc]::Section($section).Remove((Get-Key $false $one)) }
        }
        if ($PassThru) { ConvertTo-Connection $AllUserConnection $entry }
    }
}

# A destination as RFC 4632 and RFC 4291 have it: an address whose bits behind the prefix are zero.
function Test-Prefix([string]$Text) {
    $network = [Net.IPNetwork]::new([Net.IPAddress]::Any, 0)
    return [Net.IPNetwork]::TryParse($Text, [ref]$network)
}

function Add-VpnConnectionRoute {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0)][string]$ConnectionName,
        [Parameter(Mandatory, Position = 1)][string]$DestinationPrefix,
        [Parameter(Position = 2)][uint32]$RouteMetric = 1,
        [switch]$PassThru,
        [switch]$AllUserConnection
    )
    if (-not (Test-Rights $AllUserConnection $ConnectionName)) { return }
    $entry = Get-Entry $AllUserConnection $ConnectionName
    if (-not $entry) { return }
    if (-not (Test-Prefix $DestinationPrefix)) { Write-Failure "The destination prefix $DestinationPrefix is not valid." 'InvalidArgument' $DestinationPrefix; return }
    $routes = @(Get-Route $entry)
    if (@($routes | ForEach-Object DestinationPrefix) -contains $DestinationPrefix) {
        Write-Failure "The route $DestinationPrefix has already been added to the VPN connection $ConnectionName." 'ResourceExists' $DestinationPrefix
        return
    }
    $route = [pscustomobject]@{ DestinationPrefix = $DestinationPrefix; RouteMetric = $RouteMetric }
    Set-Route $entry ($routes + $route)
    Set-Entry $AllUserConnection $entry
    if ($PassThru) { $route }
}

function Remove-VpnConnectionRoute {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0)][string]$ConnectionName,
        [Parameter(Mandatory, Position = 1)][string]$DestinationPrefix,
        [switch]$AllUserConnection,
        [switch]$PassThru
    )
    if (-not (Test-Rights $AllUserConnection $ConnectionName)) { return }
    $entry = Get-Entry $AllUserConnection $ConnectionName
    if (-not $entry) { return }
    $routes = @(Get-Route $entry)
    if (@($routes | ForEach-Object DestinationPrefix) -notcontains $DestinationPrefix) { Write-Failure "The route $DestinationPrefix was not found." 'ObjectNotFound' $DestinationPrefix; return }
    Set-Route $entry @($routes | Where-Object { $_.DestinationPrefix -ne $DestinationPrefix })
    Set-Entry $AllUserConnection $entry
    if ($PassThru) { $routes | Where-Object { $_.DestinationPrefix -eq $DestinationPrefix } }
}

. "$PSScriptRoot/VpnTriggers.ps1"

Export-ModuleMember -Function *-VpnConnection*
