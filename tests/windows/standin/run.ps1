# Runs scripts on a PC that is in a file, one after the other, and writes what they said and how the PC
# is after each.
param([string]$Assembly, [string]$From, [string]$To)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-Module -Assembly ([Reflection.Assembly]::LoadFrom($Assembly))
$task = [IO.File]::ReadAllText($From) | ConvertFrom-Json -AsHashtable
$env:SystemRoot = $task.system_root
$env:ProgramData = $task.program_data
$env:PUBLIC = $task.public
$env:COMPUTERNAME = 'PC'
Import-Module "$PSScriptRoot/Session.psm1"
Add-TypeNames
[StandIn.Pc]::Load(($task.state | ConvertTo-Json -Depth 20))

# The phone books, as they are in their files.
function Read-Books {
    $found = @{}
    foreach ($account in $task.books.Keys) {
        $path = $task.books[$account]
        $found[$account] = if ([IO.File]::Exists($path)) { [IO.File]::ReadAllText($path) } else { '' }
    }
    return $found
}

$results = foreach ($step in $task.steps) {
    $state = [StandIn.Pc]::State
    foreach ($name in 'approves', 'language', 'hides_code', 'dial') { $state[$name] = $step[$name] }
    $state['elevations'] = 0
    $state['elevated'] = [Collections.ArrayList]@()
    [StandIn.Questions]::Asked.Clear()
    [StandIn.Questions]::Answers.Clear()
    foreach ($answer in $step.answers) { [StandIn.Questions]::Answers.Enqueue($answer) }
    Set-Account $step.account $step.elevated $step.desktop
    $result = Invoke-Script $step.script $step.arguments $step.language
    $result.asked = @([StandIn.Questions]::Asked)
    $result.elevated = @($state['elevated'])
    $result.state = [StandIn.Pc]::Save() | ConvertFrom-Json -AsHashtable
    $result.books = Read-Books
    $result
}
[IO.File]::WriteAllText($To, (ConvertTo-Json -Depth 20 @($results)))
