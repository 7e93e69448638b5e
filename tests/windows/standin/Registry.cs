// The registry provider: about_Registry_Provider in Microsoft's documentation of PowerShell 5.1.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Provider;
using System.Security;

namespace StandIn
{
    using Table = SortedDictionary<string, object>;

    // Keys by their full name, HKEY_LOCAL_MACHINE\Software; in each, its values by name.
    public static class Registry
    {
        public const string Machine = "HKEY_LOCAL_MACHINE";
        public const string Users = "HKEY_USERS";
        public const string CurrentUser = "HKEY_CURRENT_USER";

        public static string Full(string path)
        {
            var parts = path.Split('\\', '/').Where(part => part != "").ToList();
            if (parts.Count > 0 && parts[0].Equals(CurrentUser, StringComparison.OrdinalIgnoreCase))
            {
                parts[0] = Users + "\\" + Pc.Sid;
            }
            return string.Join("\\", parts);
        }

        private static bool IsIn(string key, string hive)
        {
            return (key + "\\").StartsWith(hive + "\\", StringComparison.OrdinalIgnoreCase);
        }

        // Whose part of HKEY_USERS it is; empty for HKEY_USERS itself.
        private static string Owner(string key)
        {
            return key.Split('\\', '/').Skip(1).FirstOrDefault() ?? "";
        }

        // Only the parts of those who are signed in are loaded, and only administrators see others'.
        public static bool Visible(string key)
        {
            if (!IsIn(key, Users) || Owner(key) == "") return true;
            if (Owner(key).Equals(Pc.Sid, StringComparison.OrdinalIgnoreCase)) return true;
            return Pc.Elevated && Pc.SignedIn(Owner(key));
        }

        public static void Demand(string key)
        {
            var own = IsIn(key, Users + "\\" + Pc.Sid);
            if (!own && !Pc.Elevated) throw new SecurityException("Requested registry access is not allowed.");
        }

        private static IEnumerable<string> Keys()
        {
            return Pc.Section("registry").Keys;
        }

        public static bool Exists(string key)
        {
            if (key == "" || new[] { Machine, Users }.Contains(key, StringComparer.OrdinalIgnoreCase)) return true;
            return Visible(key) && Keys().Any(one => IsIn(one, key));
        }

        public static List<string> Children(string key)
        {
            if (key == "") return new List<string> { Machine, Users, CurrentUser };
            return Keys().Where(one => IsIn(one, key) && one.Length > key.Length)
                .Select(one => one.Substring(key.Length + 1).Split('\\', '/')[0])
                .Distinct(StringComparer.OrdinalIgnoreCase)
                .Where(name => Visible(key + "\\" + name)).ToList();
        }

        public static Table Values(string key)
        {
            var keys = Pc.Section("registry");
            return keys.ContainsKey(key) ? (Table)keys[key] : Pc.NewTable();
        }

        public static void Create(string key)
        {
            Demand(key);
            Pc.Section("registry")[key] = Pc.NewTable();
        }

        public static void Remove(string key)
        {
            Demand(key);
            foreach (var one in Keys().Where(one => IsIn(one, key)).ToList()) Pc.Section("registry").Remove(one);
        }
    }

    public class RegistryKey
    {
        private readonly string key;

        public RegistryKey(string key) { this.key = key; }

        public string Name { get { return key; } }
        public int SubKeyCount { get { return GetSubKeyNames().Length; } }
        public int ValueCount { get { return GetValueNames().Length; } }
        public string[] GetSubKeyNames() { return Registry.Children(key).ToArray(); }
        public string[] GetValueNames() { return Registry.Values(key).Keys.ToArray(); }

        public object GetValue(string name)
        {
            var values = Registry.Values(key);
            return values.ContainsKey(name) ? values[name] : null;
        }
    }

    public class ValueKind
    {
        [Parameter(ValueFromPipelineByPropertyName = true)]
        [ValidateSet("String", "ExpandString", "Binary", "DWord", "MultiString", "QWord", "Unknown")]
        public string Type { get; set; }
    }

    [CmdletProvider("Registry", ProviderCapabilities.ShouldProcess)]
    public class RegistryProvider : NavigationCmdletProvider, IPropertyCmdletProvider, IDynamicPropertyCmdletProvider
    {
        public override char ItemSeparator { get { return '\\'; } }
        public override char AltItemSeparator { get { return '\\'; } }

        protected override Collection<PSDriveInfo> InitializeDefaultDrives()
        {
            return new Collection<PSDriveInfo>
            {
                new PSDriveInfo("HKLM", ProviderInfo, Registry.Machine, "", null),
                new PSDriveInfo("HKCU", ProviderInfo, Registry.CurrentUser, "", null)
            };
        }

        protected override bool IsValidPath(string path) { return !string.IsNullOrEmpty(path); }

        protected override bool ItemExists(string path) { return Registry.Exists(Registry.Full(path)); }

        protected override bool IsItemContainer(string path) { return true; }

        protected override bool HasChildItems(string path) { return Registry.Children(Registry.Full(path)).Any(); }

        protected override void GetItem(string path)
        {
            if (Found(path)) Emit(path);
        }

        protected override void GetChildItems(string path, bool recurse)
        {
            if (!Found(path)) return;
            foreach (var name in Registry.Children(Registry.Full(path)))
            {
                Emit(MakePath(path, name));
                if (recurse) GetChildItems(MakePath(path, name), true);
            }
        }

        protected override void GetChildNames(string path, ReturnContainers returnContainers)
        {
            foreach (var name in Registry.Children(Registry.Full(path))) WriteItemObject(name, MakePath(path, name), true);
        }

        // Without -Force, the key above has to be there; with it, a key that is there is emptied.
        protected override void NewItem(string path, string type, object value)
        {
            var key = Registry.Full(path);
            if (!Force && Registry.Exists(key))
            {
                Fail(new System.IO.IOException("A key in this path already exists."), ErrorCategory.ResourceExists, path);
                return;
            }
            if (!Force && !Registry.Exists(Registry.Full(GetParentPath(path, "")))) { Missing(path); return; }
            if (!Allowed(key)) return;
            Registry.Remove(key);
            Registry.Create(key);
            Emit(path);
        }

        protected override void RemoveItem(string path, bool recurse)
        {
            if (Found(path) && Allowed(Registry.Full(path))) Registry.Remove(Registry.Full(path));
        }

        public void GetProperty(string path, Collection<string> names)
        {
            if (!Found(path)) return;
            var values = Registry.Values(Registry.Full(path));
            var found = new PSObject();
            foreach (var one in values)
            {
                var asked = names == null || names.Count == 0 || names.Contains(one.Key, StringComparer.OrdinalIgnoreCase);
                if (asked) found.Properties.Add(new PSNoteProperty(one.Key, one.Value));
            }
            foreach (var name in names ?? new Collection<string>())
            {
                if (!values.ContainsKey(name)) Missing(name);
            }
            if (found.Properties.Any()) WritePropertyObject(found, path);
        }

        // What has a type keeps it; else whole numbers are a DWORD, lists of texts are lists, and
        // anything else becomes a text.
        public void SetProperty(string path, PSObject values)
        {
            if (!Found(path) || !Allowed(Registry.Full(path))) return;
            var kind = DynamicParameters as ValueKind;
            foreach (var one in values.Properties)
            {
                object before;
                Registry.Values(Registry.Full(path)).TryGetValue(one.Name, out before);
                Registry.Values(Registry.Full(path))[one.Name] = Typed(one.Value, kind == null ? null : kind.Type, before);
            }
        }

        private static object Typed(object value, string kind, object before)
        {
            var plain = value is PSObject ? ((PSObject)value).BaseObject : value;
            if (kind == "DWord" || (kind == null && (plain is int || before is int)))
            {
                return LanguagePrimitives.ConvertTo<int>(plain);
            }
            if (kind == "MultiString" || (kind == null && plain is string[]))
            {
                return new ArrayList(LanguagePrimitives.ConvertTo<string[]>(plain));
            }
            return LanguagePrimitives.ConvertTo<string>(plain);
        }

        public void RemoveProperty(string path, string name)
        {
            if (!Found(path) || !Allowed(Registry.Full(path))) return;
            if (!Registry.Values(Registry.Full(path)).Remove(name)) Missing(name);
        }

        public void NewProperty(string path, string name, string type, object value)
        {
            if (!Found(path) || !Allowed(Registry.Full(path))) return;
            Registry.Values(Registry.Full(path))[name] = Typed(value, type, null);
        }

        public object GetPropertyDynamicParameters(string path, Collection<string> names) { return null; }
        public object SetPropertyDynamicParameters(string path, PSObject values) { return new ValueKind(); }
        public object ClearPropertyDynamicParameters(string path, Collection<string> names) { return null; }
        public object NewPropertyDynamicParameters(string path, string name, string type, object value) { return null; }
        public object RemovePropertyDynamicParameters(string path, string name) { return null; }
        public object RenamePropertyDynamicParameters(string path, string from, string to) { return null; }
        public object CopyPropertyDynamicParameters(string from, string name, string to, string other) { return null; }
        public object MovePropertyDynamicParameters(string from, string name, string to, string other) { return null; }
        public void ClearProperty(string path, Collection<string> names) { throw new PSNotSupportedException(); }
        public void RenameProperty(string path, string from, string to) { throw new PSNotSupportedException(); }
        public void CopyProperty(string from, string name, string to, string other) { throw new PSNotSupportedException(); }
        public void MoveProperty(string from, string name, string to, string other) { throw new PSNotSupportedException(); }

        private void Emit(string path)
        {
            var key = Registry.Full(path);
            var item = new PSObject(new RegistryKey(key));
            item.Properties.Add(new PSNoteProperty("Property", Registry.Values(key).Keys.ToArray()));
            WriteItemObject(item, path, true);
        }

        private bool Found(string path)
        {
            if (!Registry.Exists(Registry.Full(path))) { Missing(path); return false; }
            return true;
        }

        private bool Allowed(string key)
        {
            try { Registry.Demand(key); return true; }
            catch (SecurityException denied) { Fail(denied, ErrorCategory.PermissionDenied, key); return false; }
        }

        private void Missing(string what)
        {
            Fail(new ItemNotFoundException("Cannot find '" + what + "' because it does not exist."), ErrorCategory.ObjectNotFound, what);
        }

        private void Fail(Exception why, ErrorCategory category, string what)
        {
            WriteError(new ErrorRecord(why, why.GetType().FullName, category, what));
        }
    }
}
