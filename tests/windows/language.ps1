# Takes scripts apart: what is in them, as PowerShell itself reads it.
param([string]$From, [string]$To)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

function New-Set {
    return , [Collections.Generic.SortedSet[string]]::new()
}

function Read-Command($Node) {
    $parameters = foreach ($element in $Node.CommandElements) {
        if ($element -is [Management.Automation.Language.CommandParameterAst]) { '-' + $element.ParameterName }
    }
    return @{ name = [string]$Node.GetCommandName(); parameters = @($parameters) }
}

function Read-Nodes($Tree, [hashtable]$Found) {
    foreach ($node in $Tree.FindAll({ $true }, $true)) {
        $kind = $node.GetType().Name
        $null = $Found.nodes.Add($kind)
        switch ($kind) {
            'CommandAst' { $Found.commands += Read-Command $node }
            'FunctionDefinitionAst' { $null = $Found.functions.Add($node.Name) }
            'VariableExpressionAst' { $null = $Found.variables.Add($node.VariablePath.UserPath) }
            { $_ -in 'MemberExpressionAst', 'InvokeMemberExpressionAst' } {
                if ($node.Static) { $null = $Found.members.Add("[$($node.Expression.TypeName.FullName)]::$($node.Member.Value)") }
            }
        }
    }
}

function Read-Script([string]$Path) {
    $tokens = $errors = $null
    $tree = [Management.Automation.Language.Parser]::ParseFile($Path, [ref]$tokens, [ref]$errors)
    $found = @{ path = $Path; errors = @(); commands = @() }
    foreach ($set in 'nodes', 'tokens', 'numbers', 'functions', 'variables', 'members') { $found[$set] = New-Set }
    foreach ($one in $errors) { $found.errors += "$($one.Extent.StartLineNumber): $($one.Message)" }
    foreach ($token in $tokens) {
        $null = $found.tokens.Add([string]$token.Kind)
        if ($token.Kind -eq 'Number') { $null = $found.numbers.Add($token.Text) }
    }
    Read-Nodes $tree $found
    return $found
}

$paths = [IO.File]::ReadAllText($From) | ConvertFrom-Json
$found = foreach ($path in $paths) { Read-Script $path }
[IO.File]::WriteAllText($To, (ConvertTo-Json -Depth 8 -Compress @($found)))
