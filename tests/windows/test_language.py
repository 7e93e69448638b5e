"""Each generated script, as PowerShell itself reads it: nothing that Windows PowerShell 5.1 lacks.

PowerShell 7 knows all of 5.1 and more. What more is, it says itself: about_Operators, "What's New in
PowerShell 6.0" and the later ones, and the pages of the cmdlets for 5.1.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sstpca.access.connection_settings import SignIn
from sstpca.bundle.administrators import deployment
from sstpca.bundle.content import texts
from tests.bundle import test_deploy, test_scripts
from tests.bundle.samples import MakeBundle, files_of, renderer
from tests.bundle.test_scripts import full_bundle
from tests.windows.conftest import write
from tests.windows.pc import run_pwsh

# ? :, a && b, ?., ?[], ?? and ??=; a block clean, and & at the end of a line
NEWER_NODES = {"TernaryExpressionAst", "PipelineChainAst"}
NEWER_TOKENS = {
    *("QuestionMark", "AndAnd", "OrOr", "QuestionDot", "QuestionLBracket", "QuestionQuestion"),
    *("QuestionQuestionEquals", "Clean"),
}
NEWER_VARIABLES = {
    "IsWindows",
    "IsLinux",
    "IsMacOS",
    "IsCoreCLR",
    "PSStyle",
    "EnabledExperimentalFeatures",
}
# 5.1 has l, d and the multiples of bytes
NUMBER = re.compile(r"-?(0x[0-9a-f]+|\d+(\.\d+)?)(l|d)?([kmgtp]b)?", re.IGNORECASE)

# The parameters of PowerShell's own cmdlets, from their pages for Windows PowerShell 5.1.
DOCUMENTED = """
Add-Content: Confirm Credential Encoding Exclude Filter Force Include LiteralPath NoNewline PassThru Path Stream UseTransaction Value WhatIf
Add-Type: AssemblyName CodeDomProvider CompilerParameters IgnoreWarnings Language LiteralPath MemberDefinition Name Namespace OutputAssembly OutputType PassThru Path ReferencedAssemblies TypeDefinition UsingNamespace
Copy-Item: Confirm Container Credential Destination Exclude Filter Force FromSession Include LiteralPath PassThru Path Recurse ToSession UseTransaction WhatIf
ForEach-Object: ArgumentList Begin Confirm End InputObject MemberName Process RemainingScripts WhatIf
Get-ChildItem: Attributes CodeSigningCert Depth Directory DnsName DocumentEncryptionCert Eku Exclude ExpiringInDays File Filter Force Hidden Include LiteralPath Name Path ReadOnly Recurse SSLServerAuthentication System UseTransaction
Get-CimInstance: CimSession ClassName ComputerName Filter InputObject KeyOnly Namespace OperationTimeoutSec Property Query QueryDialect ResourceUri Shallow
Get-Command: All ArgumentList CommandType FullyQualifiedModule ListImported Module Name Noun ParameterName ParameterType ShowCommandInfo Syntax TotalCount Verb
Get-Content: Credential Delimiter Encoding Exclude Filter Force Include LiteralPath Path Raw ReadCount Stream Tail TotalCount UseTransaction Wait
Get-Date: Date Day DisplayHint Format Hour Millisecond Minute Month Second UFormat Year
Get-FileHash: Algorithm InputStream LiteralPath Path
Get-Item: Credential Exclude Filter Force Include LiteralPath Path Stream UseTransaction
Get-ItemProperty: Credential Exclude Filter Include LiteralPath Name Path UseTransaction
Get-Process: ComputerName FileVersionInfo Id IncludeUserName InputObject Module Name
Get-PSDrive: LiteralName Name PSProvider Scope UseTransaction
Get-Service: ComputerName DependentServices DisplayName Exclude Include InputObject Name RequiredServices
Get-WinEvent: ComputerName Credential FilterHashtable FilterXPath FilterXml Force ListLog ListProvider LogName MaxEvents Oldest Path ProviderName
Invoke-CimMethod: Arguments CimClass CimSession ClassName ComputerName Confirm InputObject MethodName Namespace OperationTimeoutSec Query QueryDialect ResourceUri WhatIf
Join-Path: ChildPath Credential Path Resolve UseTransaction
Move-Item: Confirm Credential Destination Exclude Filter Force Include LiteralPath PassThru Path UseTransaction WhatIf
New-CimSession: Authentication CertificateThumbprint ComputerName Credential Name OperationTimeoutSec Port SessionOption SkipTestConnection
New-Item: Confirm Credential Force ItemType Name Path UseTransaction Value WhatIf
New-Object: ArgumentList ComObject Property Strict TypeName
Read-Host: AsSecureString Prompt
Remove-Item: Confirm Credential DeleteKey Exclude Filter Force Include LiteralPath Path Recurse Stream UseTransaction WhatIf
Remove-ItemProperty: Confirm Credential Exclude Filter Force Include LiteralPath Name Path UseTransaction WhatIf
Select-Object: ExcludeProperty ExpandProperty First Index InputObject Last Property Skip SkipLast Unique Wait
Select-String: AllMatches CaseSensitive Context Encoding Exclude Include InputObject List LiteralPath NotMatch Path Pattern Quiet SimpleMatch
Set-Content: Confirm Credential Encoding Exclude Filter Force Include LiteralPath NoNewline PassThru Path Stream UseTransaction Value WhatIf
Set-ItemProperty: Confirm Credential Exclude Filter Force Include InputObject LiteralPath Name PassThru Path Type UseTransaction Value WhatIf
Set-StrictMode: Off Version
Sort-Object: CaseSensitive Culture Descending InputObject Property Unique
Split-Path: Credential IsAbsolute Leaf LiteralPath NoQualifier Parent Path Qualifier Resolve UseTransaction
Start-Process: ArgumentList Credential FilePath LoadUserProfile NoNewWindow PassThru RedirectStandardError RedirectStandardInput RedirectStandardOutput UseNewEnvironment Verb Wait WindowStyle WorkingDirectory
Test-Path: Credential Exclude Filter Include IsValid LiteralPath NewerThan OlderThan Path PathType UseTransaction
Where-Object: Contains EQ FilterScript GE GT In InputObject Is IsNot LE LT Like Match NE NotContains NotIn NotLike NotMatch Property Value
Write-Host: BackgroundColor ForegroundColor NoNewline Object Separator
"""

OTHER_LANGUAGES = [one for one in texts.languages() if one != "en"]

Reading = dict[str, Any]


@pytest.fixture(scope="module")
def readings(make_bundle: MakeBundle, tmp_path_factory: pytest.TempPathFactory) -> list[Reading]:
    """What PowerShell says of the scripts of every sign-in and of every language, and of the rest."""
    folder = tmp_path_factory.mktemp("scripts")
    kinds = [(one, "en") for one in SignIn] + [(SignIn.MSCHAPV2, one) for one in OTHER_LANGUAGES]
    for sign_in, language in kinds:
        bundle = full_bundle(make_bundle, sign_in, language=language)
        write(folder / f"{sign_in.value}-{language}", files_of(bundle))
    write(folder / "admin", deployment.files(renderer(), make_bundle(user="")))
    paths = sorted(folder.glob("*/*.ps1"))
    assert len(paths) == 3 * len(kinds) + 3
    return read(paths, folder)


def read(scripts: Sequence[Path], folder: Path) -> list[Reading]:
    """Take scripts apart; ``folder`` is for the files that this needs."""
    task, found = folder / "task.json", folder / "found.json"
    task.write_text(json.dumps([str(one) for one in scripts]))
    run_pwsh(Path(__file__).with_name("language.ps1"), task, found)
    readings: list[Reading] = json.loads(found.read_text())
    return readings


def documented() -> dict[str, set[str]]:
    """Return, by cmdlet, the parameters that 5.1 has."""
    lines = (line.split(": ") for line in DOCUMENTED.strip().splitlines())
    own = {name: {f"-{one}" for one in given.split()} for name, given in lines}
    return own | test_scripts.PARAMETERS


def faults(reading: Reading) -> set[str]:
    """Return what Windows PowerShell 5.1 does not know."""
    found = set(reading["errors"]) | NEWER_NODES & set(reading["nodes"])
    found |= NEWER_TOKENS & set(reading["tokens"]) | NEWER_VARIABLES & set(reading["variables"])
    found |= {one for one in reading["numbers"] if not NUMBER.fullmatch(one)}
    for command in reading["commands"]:
        name = command["name"]
        if name and name not in reading["functions"]:
            known = documented().get(name)
            unknown = {name} if known is None else set(command["parameters"]) - known
            found |= unknown - test_scripts.COMMON
    return found


def test_scripts_are_for_windows_powershell(readings: list[Reading]) -> None:
    assert {one["path"]: faults(one) for one in readings if faults(one)} == {}


def test_what_scripts_may_call_has_its_parameters_here() -> None:
    named = test_scripts.CMDLETS | test_deploy.CMDLETS | test_scripts.PARAMETERS.keys()
    assert named <= documented().keys()


NEWER = {
    "$a ? 1 : 2": "TernaryExpressionAst",
    "Get-Date && Get-Date": "PipelineChainAst",
    "$a ?? 1": "QuestionQuestion",
    "$a ??= 1": "QuestionQuestionEquals",
    "${a}?.Length": "QuestionDot",
    "${a}?[0]": "QuestionLBracket",
    "function A { clean { 1 } }": "Clean",
    "$IsWindows": "IsWindows",
    "1uy": "1uy",
    "0b11": "0b11",
    "Get-Date -AsUTC": "-AsUTC",
    "Get-Uptime": "Get-Uptime",
    "if (": "1: Missing condition in if statement after 'if ('.",
}


def test_what_is_newer_is_found(tmp_path: Path) -> None:
    files = {f"{number}.ps1": text.encode() for number, text in enumerate(NEWER)}
    write(tmp_path / "newer", files)
    found = read([tmp_path / "newer" / name for name in files], tmp_path)
    for reading, fault in zip(found, NEWER.values(), strict=True):
        assert fault in faults(reading)


# Of .NET Framework 4.5, with which 5.1 comes along.
STATIC = {
    "[Environment]::NewLine",
    "[Environment]::OSVersion",
    "[IO.File]::ReadAllBytes",
    "[IO.File]::WriteAllBytes",
    "[Microsoft.Management.Infrastructure.CimProperty]::Create",
    "[SavedPassword]::Save",
    "[Security.Principal.WindowsBuiltInRole]::Administrator",
    "[Security.Principal.WindowsIdentity]::GetCurrent",
    "[StringComparison]::Ordinal",
    "[StringComparison]::OrdinalIgnoreCase",
    "[System.Environment]::GetFolderPath",
    "[System.IO.File]::ReadAllText",
    "[System.Net.Dns]::GetHostAddresses",
    "[System.Net.Sockets.AddressFamily]::InterNetwork",
    "[System.Net.Sockets.AddressFamily]::InterNetworkV6",
    "[System.Net.WebRequest]::GetSystemWebProxy",
    "[System.Security.Authentication.SslProtocols]::Tls12",
    "[System.Text.Encoding]::ASCII",
    "[Text.Encoding]::GetEncoding",
    "[Text.RegularExpressions.Regex]::Escape",
    "[Text.RegularExpressions.Regex]::Split",
    "[guid]::NewGuid",
    "[string]::Equals",
}


def test_what_is_used_of_dotnet_is_in_its_framework(readings: list[Reading]) -> None:
    used = {member for one in readings for member in one["members"]}
    assert used == STATIC
