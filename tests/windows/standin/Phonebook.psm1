# The phone books of Windows: rasphone.pbk in the profile of each user, and that of all users. A section
# is an ordered table of its keys, with the names that Windows gives them. Two keys hold texts of our
# own, as nobody has published their form: Routes (PREFIX:METRIC,...) and CustomAuthData (XML in hex).
Set-StrictMode -Version 3.0

$Folder = 'Microsoft/Network/Connections/Pbk'

function Get-BookPath([bool]$ForAll) {
    if ($ForAll) { return "$env:ProgramData/$Folder/rasphone.pbk" }
    return "$env:APPDATA/$Folder/rasphone.pbk"
}

# All sections, in their order, each with its name in the key 'Name'.
function Read-Book([bool]$ForAll) {
    $path = Get-BookPath $ForAll
    if (-not [IO.File]::Exists($path)) { return }
    $section = $null
    foreach ($line in [IO.File]::ReadAllLines($path)) {
        if ($line -match '^\[(.*)\]\s*$') {
            if ($section) { $section }
            $section = [Collections.Specialized.OrderedDictionary]::new()
            $section['Name'] = $Matches[1]
        }
        elseif ($section -and $line -match '^(\w+)=(.*)$') { $section[$Matches[1]] = $Matches[2] }
    }
    if ($section) { $section }
}

function Write-Book([bool]$ForAll, $Sections) {
    $path = Get-BookPath $ForAll
    $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
    $lines = foreach ($section in $Sections) {
        "[$($section['Name'])]"
        foreach ($key in $section.Keys) { if ($key -cne 'Name') { "$key=$($section[$key])" } }
        ''
    }
    [IO.File]::WriteAllText($path, ($lines -join "`r`n") + "`r`n")
}

function Find-Entry([bool]$ForAll, [string]$Name) {
    Read-Book $ForAll | Where-Object { $_['Name'] -eq $Name } | Select-Object -First 1
}

# The entry takes the place of the one with its name, or is added.
function Set-Entry([bool]$ForAll, $Entry) {
    $sections = @(Read-Book $ForAll | Where-Object { $_['Name'] -ne $Entry['Name'] }) + $Entry
    Write-Book $ForAll $sections
}

function Remove-Entry([bool]$ForAll, [string]$Name) {
    Write-Book $ForAll @(Read-Book $ForAll | Where-Object { $_['Name'] -ne $Name })
}

Export-ModuleMember -Function Read-Book, Find-Entry, Set-Entry, Remove-Entry
