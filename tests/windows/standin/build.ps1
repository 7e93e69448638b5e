# Compiles what is in C# here.
param([string]$To)
$ErrorActionPreference = 'Stop'
$sources = @(Get-ChildItem -Path "$PSScriptRoot/*.cs" | ForEach-Object { $_.FullName })
Add-Type -Path $sources -OutputAssembly $To -ReferencedAssemblies @(
    'System.Text.Json', 'System.Collections', 'System.Linq', 'System.Runtime', 'System.ObjectModel', 'netstandard'
    'System.Security.Cryptography', 'System.Xml.ReaderWriter', 'System.Net.Primitives', 'System.Memory'
    'System.Security.Principal.Windows', 'System.Management.Automation', 'System.Runtime.Extensions'
    'System.Collections.NonGeneric', 'System.Security.Principal', 'System.Web.HttpUtility'
) -IgnoreWarnings -WarningAction SilentlyContinue
