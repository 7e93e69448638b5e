# The phone books of Windows: rasphone.pbk in the profile of each user, and that of all users. A section
# is an ordered table of its keys, with the names that Windows gives them. Two keys hold texts of our
# own, as nobody has published their form: Routes (PREFIX@METRIC,...) and CustomAuthData (XML in hex).
# Other sections stay byte for byte as they are.
Set-StrictMode -Version 3.0

$Folder = 'Microsoft/Network/Connections/Pbk'
$Bytes = [Text.Encoding]::Latin1

function Get-BookPath([bool]$ForAll) {
    if ($ForAll) { return "$env:ProgramData/$Folder/rasphone.pbk" }
    return "$env:APPDATA/$Folder/rasphone.pbk"
}

# The sections as they are in the file, each from its name in brackets to the next one.
function Read-Texts([bool]$ForAll) {
    $path = Get-BookPath $ForAll
    if (-not [IO.File]::Exists($path)) { return }
    [regex]::Split($Bytes.GetString([IO.File]::ReadAllBytes($path)), '(?m)^(?=\[)') | Where-Object { $_ }
}

function Write-Texts([bool]$ForAll, [string[]]$Texts) {
    $path = Get-BookPath $ForAll
    $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
    [IO.File]::WriteAllBytes($path, $Bytes.GetBytes(($Texts -join '')))
}

# As a table, with its name in the key 'Name'.
function ConvertFrom-Text([string]$Text) {
    $section = [Collections.Specialized.OrderedDictionary]::new()
    foreach ($line in [Text.Encoding]::UTF8.GetString($Bytes.GetBytes($Text)) -split "`r?`n") {
        if ($line -match '^\[(.*)\]\s*$') { $section['Name'] = $Matches[1] }
        elseif ($line -match '^(\w+)=(.*)$') { $section[$Matches[1]] = $Matches[2] }
    }
    return $section
}

function ConvertTo-Text($Section) {
    $lines = @("[$($Section['Name'])]")
    foreach ($key in $Section.Keys) { if ($key -cne 'Name') { $lines += "$key=$($Section[$key])" } }
    return $Bytes.GetString([Text.Encoding]::UTF8.GetBytes(($lines -join "`r`n") + "`r`n"))
}

function Read-Book([bool]$ForAll) {
    foreach ($text in Read-Texts $ForAll) { ConvertFrom-Text $text }
}

function Find-Entry([bool]$ForAll, [string]$Name) {
    Read-Book $ForAll | Where-Object { $_['Name'] -eq $Name } | Select-Object -First 1
}

function Remove-Entry([bool]$ForAll, [string]$Name) {
    Write-Texts $ForAll @(Read-Texts $ForAll | Where-Object { (ConvertFrom-Text $_)['Name'] -ne $Name })
}

# The entry takes the place of the one with its name, or is added.
function Set-Entry([bool]$ForAll, $Entry) {
    $text = ConvertTo-Text $Entry
    $texts = @(foreach ($one in Read-Texts $ForAll) {
            if ((ConvertFrom-Text $one)['Name'] -eq $Entry['Name']) { $text; $text = '' } else { $one }
        })
    Write-Texts $ForAll ($texts + $text)
}

Export-ModuleMember -Function Read-Book, Find-Entry, Set-Entry, Remove-Entry
