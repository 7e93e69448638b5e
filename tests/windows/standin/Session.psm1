# A process of Windows PowerShell 5.1: a runspace of its own, in which a script runs as one account of
# the PC, and Start-Process, which is how a script gets another one with an administrator's rights.
Set-StrictMode -Version 3.0

$Modules = 'Phonebook', 'VpnClient', 'Pki', 'System', 'Management', 'Session' | ForEach-Object { "$PSScriptRoot/$_.psm1" }

# What scripts find under the names of the real types.
function Add-TypeNames {
    $names = @{
        'Security.Principal.WindowsIdentity'                              = [StandIn.WindowsIdentity]
        'Security.Principal.WindowsPrincipal'                             = [StandIn.WindowsPrincipal]
        'Environment'                                                     = [StandIn.Environment]
        'Net.WebRequest'                                                  = [StandIn.WebRequest]
        'Microsoft.Management.Infrastructure.CimInstance'                 = [StandIn.CimInstance]
        'Microsoft.Management.Infrastructure.CimProperty'                 = [StandIn.CimProperty]
        'Microsoft.Management.Infrastructure.Options.CimOperationOptions' = [StandIn.CimOperationOptions]
    }
    $accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
    foreach ($name in $names.Keys) {
        $accelerators::Add($name, $names[$name])
        if ($name -notlike 'Microsoft.*') { $accelerators::Add("System.$name", $names[$name]) }
    }
}

# The process belongs to an account, has its rights or an administrator's, and a desktop's session.
function Set-Account([string]$Sid, [bool]$Elevated, [string]$Desktop) {
    [StandIn.Pc]::Sid = $Sid
    [StandIn.Pc]::Elevated = $Elevated
    $signedIn = @([StandIn.Pc]::Section('accounts').Keys | Where-Object { [StandIn.Pc]::SignedIn($_) })
    [StandIn.Pc]::State['session'] = 1 + [array]::IndexOf($signedIn, $Desktop)
    $account = [StandIn.Pc]::Account($Sid)
    $env:USERNAME = $account['name']
    $env:USERPROFILE = $account['profile']
    $env:APPDATA = "$env:USERPROFILE/AppData/Roaming"
    $env:TEMP = "$env:USERPROFILE/AppData/Local/Temp"
}

function Open-Session([string]$Language) {
    $runspace = [runspacefactory]::CreateRunspace([initialsessionstate]::CreateDefault())
    $runspace.Open()
    $shell = [powershell]::Create($runspace)
    $null = $shell.AddScript({
            param($assembly, $modules)
            Import-Module -Assembly $assembly
            Import-Module -Name $modules -Global
            $PSVersionTable['PSEdition'] = 'Desktop'
            $PSVersionTable['PSVersion'] = [version]'5.1.22621.1'
        }).AddArgument([StandIn.Pc].Assembly).AddArgument($Modules).Invoke()
    if ($shell.HadErrors) { throw [string]$shell.Streams.Error[0] }
    $runspace.SessionStateProxy.LanguageMode = $Language
    return $runspace
}

# What powershell.exe -File does with what comes after the script: names and values of parameters.
function ConvertTo-Parameters([string]$Script, [string[]]$Words) {
    $tree = [Management.Automation.Language.Parser]::ParseFile($Script, [ref]$null, [ref]$null)
    $parameters = if ($tree.ParamBlock) { $tree.ParamBlock.Parameters }
    $switches = @($parameters | Where-Object { $_ -and $_.StaticType -eq [switch] } | ForEach-Object { $_.Name.VariablePath.UserPath })
    $found = @{}
    for ($at = 0; $at -lt $Words.Count; $at += 1) {
        $name = $Words[$at] -replace '^-', ''
        if ($name -in $switches) { $found[$name] = $true }
        else { $at += 1; $found[$name] = $Words[$at] }
    }
    return $found
}

# Runs a script, and returns its exit code and all that it said, by stream.
function Invoke-Script([string]$Path, [string[]]$Words, [string]$Language) {
    $runspace = Open-Session $Language
    try {
        $shell = [powershell]::Create($runspace)
        $null = $shell.AddScript('param($path, $named) & $path @named').AddArgument($Path).AddArgument((ConvertTo-Parameters $Path $Words))
        $failure = $null
        $output = @()
        try { $output = $shell.Invoke() }
        catch { $failure = [string]$_.Exception.InnerException.ErrorRecord + ' ' + $_.Exception.InnerException.ErrorRecord.InvocationInfo.PositionMessage }
        $code = $runspace.SessionStateProxy.GetVariable('LASTEXITCODE')
        return @{
            code   = if ($failure) { 1 } else { [int]$code }
            output = @($shell.Streams.Information | ForEach-Object { [string]$_.MessageData })
            stray  = @($output | ForEach-Object { [string]$_ })
            errors = @($shell.Streams.Error | ForEach-Object { "$_ $($_.InvocationInfo.PositionMessage)" }) + @($failure | Where-Object { $_ })
            warnings = @($shell.Streams.Warning | ForEach-Object { [string]$_ })
        }
    }
    finally { $runspace.Dispose() }
}

# The words after powershell.exe: its own, and then the script with its words.
function Split-Command([string]$Line) {
    $words = [StandIn.CommandLine]::Split($Line)
    $at = [array]::IndexOf($words, '-File')
    $before = ($words[0..($at - 1)] -join ' ')
    if ($at -lt 0 -or $before -ne '-NoProfile -ExecutionPolicy Bypass') { throw "powershell.exe $Line" }
    return @{ Path = $words[$at + 1]; Words = @($words | Select-Object -Skip ($at + 2)) }
}

# Who approves is in the state: an account's security identifier, or nothing.
function Start-Process {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory, Position = 0)][string]$FilePath,
        [Parameter(Position = 1)][string[]]$ArgumentList,
        [string]$Verb,
        [switch]$Wait,
        [switch]$PassThru,
        [string]$WindowStyle
    )
    $known = "$env:SystemRoot/System32/WindowsPowerShell/v1.0/powershell.exe"
    if ($FilePath -ne $known -or $Verb -ne 'RunAs') { throw "Start-Process $FilePath $Verb" }
    $command = Split-Command ($ArgumentList -join ' ')
    $state = [StandIn.Pc]::State
    $before = @{ Sid = [StandIn.Pc]::Sid; Elevated = [StandIn.Pc]::Elevated; Session = $state['session'] }
    $by = $before.Sid
    if (-not $before.Elevated) {
        [StandIn.Questions]::Asked.Add('elevation')
        $by = $state['approves']
        if (-not $by) { throw [InvalidOperationException]::new('This command cannot be run due to the error: The operation was canceled by the user.') }
    }
    Set-Account $by $true ''
    $state['session'] = $before.Session
    try { $result = Invoke-Script $command.Path $command.Words $state['language'] }
    finally {
        Set-Account $before.Sid $before.Elevated ''
        $state['session'] = $before.Session
    }
    $null = $state['elevated'].Add($result)
    if ($PassThru) { [pscustomobject]@{ ExitCode = if ($state['hides_code']) { $null } else { $result.code } } }
}

Export-ModuleMember -Function Start-Process, Add-TypeNames, Set-Account, Invoke-Script
