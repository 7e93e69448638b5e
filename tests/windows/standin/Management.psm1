# CIM, as far as scripts need it: Win32_OperatingSystem, the processes, and the bridge to the VPNv2 CSP.
# Parameters: the pages of CimCmdlets in Microsoft's documentation of Windows PowerShell 5.1.
Set-StrictMode -Version 3.0

function Get-CimInstance {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$ClassName, [string]$Namespace = 'root/cimv2', [string]$Filter, [string[]]$Property)
    switch ($ClassName) {
        'Win32_OperatingSystem' {
            $build = [StandIn.Pc]::State['build']
            $name = if ($build -ge 22000) { 'Microsoft Windows 11 Pro' } else { 'Microsoft Windows 10 Pro' }
            [pscustomobject]@{ Caption = $name; Version = "10.0.$build"; BuildNumber = "$build" }
        }
        'Win32_Process' {
            if ($Filter -and $Filter -notmatch '^Name\s*=\s*''([^'']*)\.exe''$') { throw [StandIn.CimException]::new('Invalid query') }
            $found = & (Get-Module System) { Get-AllProcesses }
            if ($Filter) { $found = $found | Where-Object { $_.Name -eq $Matches[1] } }
            foreach ($one in $found) { [pscustomobject]@{ Name = "$($one.Name).exe"; ProcessId = $one.Id; Sid = $one.Sid } }
        }
        default { Write-Error -Exception ([StandIn.CimException]::new('Invalid class')) -Category 'MetadataError' -ErrorId 'HRESULT 0x80041010' }
    }
}

function Invoke-CimMethod {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, ValueFromPipeline)]$InputObject, [Parameter(Mandatory, Position = 1)][string]$MethodName, [Collections.IDictionary]$Arguments)
    if ($MethodName -ne 'GetOwnerSid') { throw [StandIn.CimException]::new('Invalid method') }
    # of other people's processes, only an administrator gets to know whose they are
    if (-not [StandIn.Pc]::Elevated) { return [pscustomobject]@{ Sid = $null; ReturnValue = 2 } }
    [pscustomobject]@{ Sid = $InputObject.Sid; ReturnValue = 0 }
}

function New-CimSession {
    [CmdletBinding()]
    param([string]$Name)
    return [StandIn.CimSession]::new()
}

function Remove-CimSession {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, ValueFromPipeline, Position = 0)]$CimSession)
}

Export-ModuleMember -Function Get-CimInstance, Invoke-CimMethod, New-CimSession, Remove-CimSession
