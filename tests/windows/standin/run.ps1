# Runs scripts on PCs that are in a file, one after the other, and writes what they said and how each PC
# is after each.
param([string]$Assembly, [string]$From, [string]$To)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

Import-Module -Assembly ([Reflection.Assembly]::LoadFrom($Assembly))
Import-Module "$PSScriptRoot/Session.psm1"
Add-TypeNames

# The phone books, as they are in their files.
function Read-Books($Paths) {
    $found = @{}
    foreach ($account in $Paths.Keys) {
        $found[$account] = if ([IO.File]::Exists($Paths[$account])) { [IO.File]::ReadAllText($Paths[$account]) } else { '' }
    }
    return $found
}

function Invoke-Step($Step, $Books) {
    $state = [StandIn.Pc]::State
    foreach ($name in 'approves', 'language', 'hides_code', 'dial') { $state[$name] = $Step[$name] }
    $state['elevated'] = [Collections.ArrayList]@()
    [StandIn.Questions]::Asked.Clear()
    [StandIn.Questions]::Answers.Clear()
    foreach ($answer in $Step.answers) { [StandIn.Questions]::Answers.Enqueue($answer) }
    Set-Account $Step.account $Step.elevated $Step.desktop
    $result = Invoke-Script $Step.script $Step.arguments $Step.language
    $result.asked = @([StandIn.Questions]::Asked)
    $result.elevated = @($state['elevated'])
    $result.state = [StandIn.Pc]::Save() | ConvertFrom-Json -AsHashtable
    $result.books = Read-Books $Books
    return $result
}

function Invoke-Pc($Pc) {
    $env:SystemRoot = $Pc.system_root
    $env:ProgramData = $Pc.program_data
    $env:PUBLIC = $Pc.public
    $env:COMPUTERNAME = 'PC'
    [StandIn.Pc]::Load(($Pc.state | ConvertTo-Json -Depth 20))
    foreach ($step in $Pc.steps) { Invoke-Step $step $Pc.books }
}

$task = [IO.File]::ReadAllText($From) | ConvertFrom-Json -AsHashtable
$results = [Collections.ArrayList]@()
foreach ($pc in $task) { $null = $results.Add(@(Invoke-Pc $pc)) }
[IO.File]::WriteAllText($To, (ConvertTo-Json -Depth 20 -Compress $results))
