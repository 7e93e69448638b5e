// The certificate provider: about_Certificate_Provider in Microsoft's documentation of PowerShell 5.1.
using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Provider;
using System.Security.Cryptography.X509Certificates;

namespace StandIn
{
    using Table = SortedDictionary<string, object>;

    // By store, "LocalMachine\Root" or "S-1-5-21-...\My": certificates by their thumbprint, in base64;
    // those with a private key as PKCS #12 without a password.
    public static class Certificates
    {
        public const string Machine = "LocalMachine";
        public const string CurrentUser = "CurrentUser";
        public static readonly string[] Names = { "My", "Root", "CA" };

        private static string Key(string location, string store)
        {
            return (location.Equals(CurrentUser, StringComparison.OrdinalIgnoreCase) ? Pc.Sid : Machine) + "\\" + store;
        }

        private static Table Store(string location, string store)
        {
            var stores = Pc.Section("certificates");
            var key = Key(location, store);
            if (!stores.ContainsKey(key)) stores[key] = Pc.NewTable();
            return (Table)stores[key];
        }

        // What the PC trusts, each user trusts as well: it is shown in the user's list too.
        public static IEnumerable<string> Thumbprints(string location, string store)
        {
            var own = Store(location, store).Keys;
            if (store.Equals("My", StringComparison.OrdinalIgnoreCase)) return own;
            return own.Union(Store(Machine, store).Keys, StringComparer.OrdinalIgnoreCase);
        }

        public static X509Certificate2 Find(string location, string store, string thumbprint)
        {
            object found;
            if (!Store(location, store).TryGetValue(thumbprint, out found))
            {
                if (store.Equals("My", StringComparison.OrdinalIgnoreCase)) return null;
                if (!Store(Machine, store).TryGetValue(thumbprint, out found)) return null;
            }
            var content = Convert.FromBase64String((string)found);
            if (X509Certificate2.GetCertContentType(content) != X509ContentType.Pkcs12) return new X509Certificate2(content);
            return new X509Certificate2(content, (string)null, X509KeyStorageFlags.Exportable);
        }

        public static void Demand(string location)
        {
            var own = location.Equals(CurrentUser, StringComparison.OrdinalIgnoreCase);
            if (own || Pc.Elevated) return;
            throw new UnauthorizedAccessException("Access is denied. 0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)");
        }

        public static void Add(string location, string store, X509Certificate2 certificate)
        {
            Demand(location);
            var type = certificate.HasPrivateKey ? X509ContentType.Pkcs12 : X509ContentType.Cert;
            Store(location, store)[certificate.Thumbprint] = Convert.ToBase64String(certificate.Export(type));
        }

        public static void Remove(string location, string store, string thumbprint)
        {
            Demand(location);
            Store(location, store).Remove(thumbprint);
        }
    }

    public class KeyRemoval
    {
        [Parameter]
        public SwitchParameter DeleteKey { get; set; }
    }

    [CmdletProvider("Certificate", ProviderCapabilities.ShouldProcess)]
    public class CertificateProvider : NavigationCmdletProvider
    {
        public override char ItemSeparator { get { return '\\'; } }
        public override char AltItemSeparator { get { return '\\'; } }

        protected override Collection<PSDriveInfo> InitializeDefaultDrives()
        {
            return new Collection<PSDriveInfo> { new PSDriveInfo("Cert", ProviderInfo, "\\", "", null) };
        }

        private static string[] Parts(string path)
        {
            return path.Split('\\', '/').Where(part => part != "").ToArray();
        }

        protected override bool IsValidPath(string path) { return !string.IsNullOrEmpty(path); }

        protected override bool ItemExists(string path)
        {
            var parts = Parts(path);
            if (parts.Length > 0 && !Has(new[] { Certificates.Machine, Certificates.CurrentUser }, parts[0])) return false;
            if (parts.Length > 1 && !Has(Certificates.Names, parts[1])) return false;
            if (parts.Length > 2 && !Has(Certificates.Thumbprints(parts[0], parts[1]), parts[2])) return false;
            return parts.Length < 4;
        }

        private static bool Has(IEnumerable<string> names, string name)
        {
            return names.Contains(name, StringComparer.OrdinalIgnoreCase);
        }

        protected override bool IsItemContainer(string path) { return Parts(path).Length < 3; }

        protected override bool HasChildItems(string path) { return Children(path).Any(); }

        private static IEnumerable<string> Children(string path)
        {
            var parts = Parts(path);
            if (parts.Length == 0) return new[] { Certificates.CurrentUser, Certificates.Machine };
            if (parts.Length == 1) return Certificates.Names;
            if (parts.Length == 2) return Certificates.Thumbprints(parts[0], parts[1]);
            return new string[0];
        }

        protected override void GetItem(string path)
        {
            if (!ItemExists(path)) { Missing(path); return; }
            var parts = Parts(path);
            if (parts.Length < 3) WriteItemObject(new PSObject(parts), path, true);
            else WriteItemObject(Certificates.Find(parts[0], parts[1], parts[2]), path, false);
        }

        protected override void GetChildItems(string path, bool recurse)
        {
            if (!ItemExists(path)) { Missing(path); return; }
            foreach (var name in Children(path).ToList())
            {
                GetItem(MakePath(path, name));
                if (recurse) GetChildItems(MakePath(path, name), true);
            }
        }

        protected override void GetChildNames(string path, ReturnContainers returnContainers)
        {
            foreach (var name in Children(path)) WriteItemObject(name, MakePath(path, name), IsItemContainer(MakePath(path, name)));
        }

        protected override object RemoveItemDynamicParameters(string path, bool recurse) { return new KeyRemoval(); }

        protected override void RemoveItem(string path, bool recurse)
        {
            var parts = Parts(path);
            if (!ItemExists(path)) { Missing(path); return; }
            if (parts.Length < 3) throw new PSInvalidOperationException("The cmdlet does not remove stores.");
            try { Certificates.Remove(parts[0], parts[1], parts[2]); }
            catch (UnauthorizedAccessException denied)
            {
                WriteError(new ErrorRecord(denied, "RemoveItem", ErrorCategory.PermissionDenied, path));
            }
        }

        private void Missing(string path)
        {
            var why = new ItemNotFoundException("Cannot find path '" + path + "' because it does not exist.");
            WriteError(new ErrorRecord(why, "PathNotFound", ErrorCategory.ObjectNotFound, path));
        }
    }
}
