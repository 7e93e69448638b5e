# What else the scripts ask Windows: processes, services, events, questions, and programs of System32.
# Parameters: the pages of these cmdlets in Microsoft's documentation of Windows PowerShell 5.1.
Set-StrictMode -Version 3.0
Import-Module "$PSScriptRoot/Phonebook.psm1"

# The cmdlets of PowerShell itself know only this machine: here they know the PC of the test.
function Get-Process {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$Name, [int[]]$Id, [switch]$IncludeUserName)
    if ($IncludeUserName -and -not [StandIn.Pc]::Elevated) {
        throw [InvalidOperationException]::new("The 'IncludeUserName' parameter requires elevated user rights. Try running the command again in a session that has been opened with elevated user rights (that is, Run as Administrator).")
    }
    $found = @(Get-AllProcesses)
    if ($Name) { $found = @($found | Where-Object { $_.Name -in $Name }) }
    if ($Id) { $found = @($found | Where-Object { $_.Id -in $Id }) }
    if (-not $found) {
        Write-Error -Message "Cannot find a process with the name or identifier `"$Name$Id`"." -Category 'ObjectNotFound' -ErrorId 'NoProcessFound'
    }
    $found
}

# One desktop for each who is signed in, in a session of theirs, and the process that asks.
function Get-AllProcesses {
    $accounts = [StandIn.Pc]::Section('accounts')
    $session = 0
    foreach ($sid in $accounts.Keys) {
        if (-not [StandIn.Pc]::SignedIn($sid)) { continue }
        $session += 1
        [pscustomobject]@{ Name = 'explorer'; Id = 1000 + $session; SessionId = $session; UserName = 'PC\' + $accounts[$sid]['name']; Sid = $sid }
    }
    $own = [int][StandIn.Pc]::State['session']
    [pscustomobject]@{ Name = 'powershell'; Id = $PID; SessionId = $own; UserName = "PC\$env:USERNAME"; Sid = [StandIn.Pc]::Sid }
}

function Get-Service {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string[]]$Name)
    $services = [StandIn.Pc]::Section('services')
    foreach ($one in $Name) {
        if (-not $services.ContainsKey($one)) {
            Write-Error -Message "Cannot find any service with service name '$one'." -Category 'ObjectNotFound' -ErrorId 'NoServiceFoundForGivenName'
            continue
        }
        $start, $status = $services[$one] -split ' '
        [pscustomobject]@{ Name = $one; StartType = $start; Status = $status }
    }
}

# Events, the newest first, as EventLogRecord shows them.
function Get-WinEvent {
    [CmdletBinding()]
    param([Parameter(Mandatory)][hashtable]$FilterHashtable, [int64]$MaxEvents, [switch]$Oldest)
    $unknown = @($FilterHashtable.Keys | Where-Object { $_ -notin 'LogName', 'ProviderName', 'Id', 'Level', 'StartTime', 'EndTime' })
    if ($unknown) { throw "The parameter is incorrect: $unknown" }
    $found = @([StandIn.Pc]::State['events'] | Where-Object { $_['log'] -eq $FilterHashtable['LogName'] })
    foreach ($pair in @('ProviderName', 'provider'), @('Id', 'id')) {
        $wanted = $FilterHashtable[$pair[0]]
        if ($wanted) { $found = @($found | Where-Object { $_[$pair[1]] -in $wanted }) }
    }
    if (-not $found) {
        Write-Error -Message 'No events were found that match the specified selection criteria.' -Category 'ObjectNotFound' -ErrorId 'NoMatchingEventsFound'
        return
    }
    [array]::Reverse($found)
    if ($MaxEvents) { $found = @($found | Select-Object -First $MaxEvents) }
    foreach ($one in $found) { ConvertTo-Event $one }
}

function ConvertTo-Event($One) {
    $names = @{ 2 = 'Error'; 3 = 'Warning'; 4 = 'Information' }
    [pscustomobject]@{
        Id               = $One['id']
        LogName          = $One['log']
        ProviderName     = $One['provider']
        Level            = $One['level']
        LevelDisplayName = $names[$One['level']]
        TimeCreated      = [datetime]::Parse($One['time'], [cultureinfo]::InvariantCulture)
        Message          = $One['message']
        Properties       = @($One['values'] | ForEach-Object { [pscustomobject]@{ Value = $_ } })
    }
}

function Add-Event([int]$Id, [int]$Level, [string]$Message, [string[]]$Values) {
    $null = [StandIn.Pc]::State['events'].Add(@{
            id = $Id; log = 'Application'; provider = 'RasClient'; level = $Level; message = $Message
            values = [Collections.ArrayList]@($Values); time = [datetime]::Now.ToString('s')
        })
}

function Read-Host {
    [CmdletBinding()]
    param([Parameter(Position = 0)][string]$Prompt, [switch]$AsSecureString)
    $answer = [StandIn.Questions]::Ask($Prompt)
    if (-not $AsSecureString) { return $answer }
    return ConvertTo-SecureString -String $answer -AsPlainText -Force
}

# RasSetCredentials of rasapi32.dll is where a script's C# leaves .NET: there, the PC of the test takes
# the call. All else of the source is compiled and runs as it is.
function Add-Type {
    [CmdletBinding()]
    param([Parameter(Mandatory, Position = 0)][string]$TypeDefinition)
    $import = '(?s)\[DllImport\("rasapi32\.dll"[^\]]*\]\s*private static extern int RasSetCredentialsW\((.*?)\);'
    $own = 'private static int RasSetCredentialsW($1) { return StandIn.Ras.SetCredentials(phonebook, entry, credentials.Size, credentials.Mask, credentials.User, credentials.Password, credentials.Domain, clear); }'
    $source = $TypeDefinition -replace $import, $own
    if ($source -match 'DllImport\(') { throw 'A function of Windows that nothing stands in for.' }
    $source = $source -replace '\[MarshalAs\(UnmanagedType\.Bool\)\] bool', 'bool'
    Microsoft.PowerShell.Utility\Add-Type -TypeDefinition $source -ReferencedAssemblies ([StandIn.Pc].Assembly.Location), 'System.Runtime.InteropServices', 'System.Runtime' -IgnoreWarnings -WarningAction SilentlyContinue
}

function Get-OwnEntry([string]$Name) {
    foreach ($all in $false, $true) { if (Find-Entry $all $Name) { return ($(if ($all) { '*' } else { [StandIn.Pc]::Sid })) + "\$Name" } }
}

# rasdial NAME, rasdial NAME /disconnect; the exit code is the number of the error.
function Invoke-Rasdial {
    $name = $args[0]
    $key = Get-OwnEntry $name
    $connected = [StandIn.Pc]::Section('connected')
    $global:LASTEXITCODE = 0
    if ($args.Count -gt 1 -and $args[1] -eq '/disconnect') {
        if (-not $key -or -not $connected.Remove($key)) { 'No connections' }
        'Command completed successfully.'
        return
    }
    if ($args.Count -gt 1) { throw 'rasdial: what is typed there is seen by everybody who looks at the list of processes.' }
    $code = if ($key) { [int][StandIn.Pc]::State['dial'] } else { 623 }
    "Connecting to $name..."
    $global:LASTEXITCODE = $code
    if ($code) {
        Add-Event 20227 2 "The user PC\$env:USERNAME dialed a connection named $name which has failed. The error code returned on failure is $code." @('{0}', "PC\$env:USERNAME", $name, "$code")
        "Remote Access error $code - see netsh."
        return
    }
    $connected[$key] = $true
    Add-Event 20225 4 "The user PC\$env:USERNAME has dialed a connection named $name." @('{0}', "PC\$env:USERNAME", $name)
    "Successfully connected to $name."
}

function Invoke-Netsh {
    if (($args -join ' ') -ne 'winhttp show proxy') { throw "netsh $args" }
    $global:LASTEXITCODE = 0
    'Current WinHTTP proxy settings:'
    $proxy = [StandIn.Pc]::State['winhttp_proxy']
    if ($proxy) { "    Proxy Server(s) :  $proxy" } else { '    Direct access (no proxy server).' }
}

foreach ($program in @('rasdial', 'Invoke-Rasdial'), @('netsh', 'Invoke-Netsh')) {
    foreach ($ending in '', '.exe') {
        Set-Alias -Name ("$env:SystemRoot/System32/" + $program[0] + $ending) -Value $program[1] -Scope Script
    }
}

Export-ModuleMember -Function Get-Process, Get-Service, Get-WinEvent, Read-Host, Add-Type, Invoke-Rasdial, Invoke-Netsh -Alias *
