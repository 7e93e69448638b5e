# Of the module PKI, what installers use. Parameters: its pages in Microsoft's documentation
# (windows-powershell-docs, docset/winserver2022-ps/pki).
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

# "Cert:\LocalMachine\Root" as location and store; relative to the location of the session it is an error.
function Split-Store([string]$Path) {
    if ($Path -notmatch '^Cert:\\(LocalMachine|CurrentUser)\\(My|Root|CA)$') { throw "The store $Path does not exist." }
    return $Matches[1], $Matches[2]
}

function Read-File([string]$Path) {
    $found = Resolve-Path -Path $Path
    return , [IO.File]::ReadAllBytes($found.ProviderPath)
}

# An error ends the cmdlet alone, as -ErrorAction says.
function Import-Certificate {
    [CmdletBinding(SupportsShouldProcess)]
    param([Parameter(Mandatory, Position = 0)][string]$FilePath, [string]$CertStoreLocation = 'Cert:\CurrentUser\My')
    try {
        $location, $store = Split-Store $CertStoreLocation
        $certificate = [Security.Cryptography.X509Certificates.X509Certificate2]::new((Read-File $FilePath))
        if ($location -eq 'CurrentUser' -and $store -eq 'Root') { $null = [StandIn.Questions]::Ask('Add this certificate to the root store?') }
        [StandIn.Certificates]::Add($location, $store, $certificate)
        $certificate
    }
    catch { $PSCmdlet.ThrowTerminatingError($_) }
}

function Open-Pfx([string]$Path, [securestring]$Password) {
    $plain = if ($Password) { [Net.NetworkCredential]::new('', $Password).Password }
    $found = [Security.Cryptography.X509Certificates.X509Certificate2Collection]::new()
    try {
        $found.Import((Read-File $Path), $plain, [Security.Cryptography.X509Certificates.X509KeyStorageFlags]::Exportable)
    }
    catch [Security.Cryptography.CryptographicException] {
        throw [ComponentModel.Win32Exception]::new(86, 'The specified network password is not correct.')
    }
    return , $found
}

function Get-PfxData {
    [CmdletBinding()]
    param([securestring]$Password, [Parameter(Mandatory, Position = 0)][string]$FilePath)
    try {
        $found = Open-Pfx $FilePath $Password
        [pscustomobject]@{
            EndEntityCertificates = @($found | Where-Object { $_.HasPrivateKey })
            OtherCertificates     = @($found | Where-Object { -not $_.HasPrivateKey })
        }
    }
    catch { $PSCmdlet.ThrowTerminatingError($_) }
}

function Import-PfxCertificate {
    [CmdletBinding(SupportsShouldProcess)]
    param(
        [switch]$Exportable,
        [securestring]$Password,
        [Parameter(Position = 1)][string]$CertStoreLocation = 'Cert:\CurrentUser\My',
        [Parameter(Mandatory, Position = 0)][string]$FilePath
    )
    try {
        $location, $store = Split-Store $CertStoreLocation
        $content = Open-Pfx $FilePath $Password
        foreach ($certificate in $content) {
            $place = if ($certificate.HasPrivateKey) { $store } elseif ($certificate.Subject -eq $certificate.Issuer) { 'Root' } else { 'CA' }
            if ($place -eq 'Root' -and $location -eq 'CurrentUser') { $null = [StandIn.Questions]::Ask('Add this certificate to the root store?') }
            [StandIn.Certificates]::Add($location, $place, $certificate)
            $certificate
        }
    }
    catch { $PSCmdlet.ThrowTerminatingError($_) }
}

Export-ModuleMember -Function Import-Certificate, Get-PfxData, Import-PfxCertificate
