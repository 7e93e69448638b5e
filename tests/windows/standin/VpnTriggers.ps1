# Of the module VpnClient: what starts a connection, and its proxy. VpnClient.psm1 takes this in.

# Triggers are for connections of one user, with split tunnelling; to ask first is what -Force is against.
function Get-Trigger([string]$Name, [bool]$Force) {
    $entry = Get-Entry $false $Name
    if (-not $entry) { return }
    if ((Get-Value $entry 'IpPrioritizeRemote' '1') -ne '0') { Write-Warning 'Triggers work with split tunneling alone.' }
    if (-not $Force) { throw [StandIn.Questions]::Unexpected("Change the triggers of $($Name)?") }
    $found = Get-Extras 'triggers' $Name
    foreach ($kind in 'Application', 'TrustedNetwork') { if (-not $found.ContainsKey($kind)) { $found[$kind] = [Collections.ArrayList]@() } }
    if (-not $found.ContainsKey('Dns')) { $found['Dns'] = [StandIn.Pc]::NewTable() }
    return , $found
}

function Add-ToList($List, [string[]]$Values, [string]$Kind) {
    foreach ($value in $Values) {
        if ($List -contains $value) { Write-Failure "The $Kind $value has already been added." 'ResourceExists' $value; continue }
        $null = $List.Add($value)
    }
}

function Remove-FromList($List, [string[]]$Values, [string]$Kind) {
    foreach ($value in $Values) {
        $there = @($List | Where-Object { $_ -eq $value })
        if (-not $there) { Write-Failure "The $Kind $value was not found." 'ObjectNotFound' $value; continue }
        $List.Remove($there[0])
    }
}

function Add-VpnConnectionTriggerApplication {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, Position = 0)][string]$ConnectionName, [Parameter(Mandatory, Position = 1)][string[]]$ApplicationID, [switch]$PassThru, [switch]$Force)
    $trigger = Get-Trigger $ConnectionName $Force
    if ($null -ne $trigger) { Add-ToList $trigger['Application'] $ApplicationID 'application' }
}

function Remove-VpnConnectionTriggerApplication {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, Position = 0)][string]$ConnectionName, [Parameter(Mandatory, Position = 1)][string[]]$ApplicationID, [switch]$PassThru, [switch]$Force)
    $trigger = Get-Trigger $ConnectionName $Force
    if ($null -ne $trigger) { Remove-FromList $trigger['Application'] $ApplicationID 'application' }
}

function Add-VpnConnectionTriggerTrustedNetwork {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, Position = 0)][string]$ConnectionName, [Parameter(Mandatory, Position = 1)][string[]]$DnsSuffix, [switch]$PassThru, [switch]$Force)
    $trigger = Get-Trigger $ConnectionName $Force
    if ($null -ne $trigger) { Add-ToList $trigger['TrustedNetwork'] $DnsSuffix 'trusted network' }
}

function Remove-VpnConnectionTriggerTrustedNetwork {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, Position = 0)][string]$ConnectionName, [Parameter(Mandatory, Position = 1)][string[]]$DnsSuffix, [switch]$PassThru, [switch]$Force)
    $trigger = Get-Trigger $ConnectionName $Force
    if ($null -ne $trigger) { Remove-FromList $trigger['TrustedNetwork'] $DnsSuffix 'trusted network' }
}

# The suffix becomes a trusted network as well, and is none any more when it goes: example 1 of the page.
function Add-VpnConnectionTriggerDnsConfiguration {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, Position = 0)][string]$ConnectionName, [Parameter(Mandatory, Position = 1)][string]$DnsSuffix, [Parameter(Position = 2)][string[]]$DnsIPAddress, [switch]$PassThru, [switch]$Force)
    $trigger = Get-Trigger $ConnectionName $Force
    if ($null -eq $trigger) { return }
    if ($trigger['Dns'].ContainsKey($DnsSuffix)) { Write-Failure "The DNS suffix $DnsSuffix has already been added." 'ResourceExists' $DnsSuffix; return }
    foreach ($server in $DnsIPAddress) {
        if (-not [Net.IPAddress]::TryParse($server, [ref]$null)) { Write-Failure "The address $server is not valid." 'InvalidArgument' $server; return }
    }
    Write-Warning "The suffix $DnsSuffix will be automatically added to the trusted network detection list."
    $trigger['Dns'][$DnsSuffix] = [Collections.ArrayList]@($DnsIPAddress | Where-Object { $_ })
    if ($trigger['TrustedNetwork'] -notcontains $DnsSuffix) { $null = $trigger['TrustedNetwork'].Add($DnsSuffix) }
}

function Remove-VpnConnectionTriggerDnsConfiguration {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, Position = 0)][string]$ConnectionName, [Parameter(Mandatory, Position = 1)][string[]]$DnsSuffix, [switch]$PassThru, [switch]$Force)
    $trigger = Get-Trigger $ConnectionName $Force
    if ($null -eq $trigger) { return }
    foreach ($one in $DnsSuffix) {
        if (-not $trigger['Dns'].Remove($one)) { Write-Failure "The DNS suffix $one was not found." 'ObjectNotFound' $one; continue }
        foreach ($network in @($trigger['TrustedNetwork'] | Where-Object { $_ -eq $one })) { $trigger['TrustedNetwork'].Remove($network) }
    }
}

# The rules have the name that the class PS_VpnConnection gives them ("VpnClientPSProvider").
function Get-VpnConnectionTrigger {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$ConnectionName)
    $entry = Get-Entry $false $ConnectionName
    if (-not $entry) { return }
    $trigger = Get-Trigger $ConnectionName $true 3>$null
    $rules = foreach ($suffix in $trigger['Dns'].Keys) {
        [pscustomobject]@{ ConnectionName = $ConnectionName; DnsSuffix = $suffix; DnsIPAddress = [string[]]@($trigger['Dns'][$suffix]) }
    }
    [pscustomobject]@{
        ConnectionName = $ConnectionName
        ApplicationID  = [string[]]@($trigger['Application'])
        DnsConfig      = @($rules | Where-Object { $_ })
        TrustedNetwork = [string[]]@($trigger['TrustedNetwork'])
    }
}

function Set-VpnConnectionProxy {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [switch]$AutoDetect,
        [string]$AutoConfigurationScript,
        [string]$ProxyServer,
        [switch]$BypassProxyForLocal,
        [string[]]$ExceptionPrefix,
        [Parameter(Mandatory, Position = 0)][string]$ConnectionName,
        [switch]$PassThru
    )
    if (-not (Get-Entry $false $ConnectionName)) { return }
    $proxy = Get-Extras 'proxies' $ConnectionName
    foreach ($name in 'AutoConfigurationScript', 'ProxyServer') { if ($PSBoundParameters.ContainsKey($name)) { $proxy[$name] = $PSBoundParameters[$name] } }
    foreach ($name in 'AutoDetect', 'BypassProxyForLocal') { if ($PSBoundParameters.ContainsKey($name)) { $proxy[$name] = [bool]$PSBoundParameters[$name] } }
    if ($ExceptionPrefix) { $proxy['ExceptionPrefix'] = [Collections.ArrayList]@($ExceptionPrefix) }
    if ($PassThru) { ConvertTo-Proxy $ConnectionName $proxy }
}
