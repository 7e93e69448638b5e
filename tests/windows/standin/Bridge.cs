// The WMI bridge to the VPNv2 CSP, class MDM_VPNv2_01 ("Using PowerShell scripting with the WMI Bridge
// Provider" and "VPNv2 CSP" in Microsoft's documentation), and RasSetCredentials (ras.h).
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Xml;

namespace StandIn
{
    public class CimSession : IDisposable
    {
        private const string User = "PolicyPlatformContext_PrincipalContext_Id";
        private const string Kind = "PolicyPlatformContext_PrincipalContext_Type";

        // Whose profiles are meant: "*" for the PC's.
        private static string Context(string space, string type, CimOperationOptions options)
        {
            if (Pc.Sid != Pc.LocalSystem) throw new CimException("Access denied ");
            if (space != "root\\cimv2\\mdm\\dmmap") throw new CimException("Invalid namespace ");
            if (type != "MDM_VPNv2_01") throw new CimException("Invalid class ");
            if (!options.Custom.ContainsKey(User)) return "*";
            if (options.Custom[Kind] != "PolicyPlatform_UserContext") throw new CimException("Invalid parameter ");
            if (!Pc.SignedIn(options.Custom[User])) throw new CimException("The user is not signed in ");
            return options.Custom[User];
        }

        public IEnumerable<CimInstance> EnumerateInstances(string space, string type, CimOperationOptions options)
        {
            var prefix = Context(space, type, options) + "\\";
            var found = Pc.Section("vpnv2").Where(one => one.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
            return found.Select(one => Instance(one.Key.Substring(prefix.Length), (string)one.Value)).ToList();
        }

        private static CimInstance Instance(string id, string xml)
        {
            var found = new CimInstance("MDM_VPNv2_01", "root/cimv2/mdm/dmmap");
            found.CimInstanceProperties.Add(CimProperty.Create("ParentID", "./Vendor/MSFT/VPNv2", "String", "Key"));
            found.CimInstanceProperties.Add(CimProperty.Create("InstanceID", id, "String", "Key"));
            found.CimInstanceProperties.Add(CimProperty.Create("ProfileXML", xml, "String", "Property"));
            return found;
        }

        public CimInstance CreateInstance(string space, CimInstance instance, CimOperationOptions options)
        {
            var key = Context(space, instance.ClassName, options) + "\\" + instance.InstanceID;
            if (instance.NamespaceName != space || instance.ParentID != "./Vendor/MSFT/VPNv2") throw new CimException("Invalid parameter ");
            if (Pc.Section("vpnv2").ContainsKey(key)) throw new CimException("The object already exists ");
            Check(WebUtility.HtmlDecode(instance.ProfileXML), instance.InstanceID);
            Pc.Section("vpnv2")[key] = WebUtility.HtmlDecode(instance.ProfileXML);
            return instance;
        }

        // The text arrives escaped once; where it is no profile, the CSP says no more than this.
        private static void Check(string xml, string id)
        {
            var found = new XmlDocument();
            try { found.LoadXml(xml); }
            catch (XmlException) { throw new CimException("A general error occurred that is not covered by a more specific error code."); }
            var native = found.SelectSingleNode("/VPNProfile/NativeProfile/Servers");
            if (native == null || id.Contains(" ")) throw new CimException("A general error occurred that is not covered by a more specific error code.");
        }

        public void DeleteInstance(string space, CimInstance instance, CimOperationOptions options)
        {
            var key = Context(space, instance.ClassName, options) + "\\" + instance.InstanceID;
            if (!Pc.Section("vpnv2").Remove(key)) throw new CimException("Not found ");
        }

        public void Dispose() { }
    }

    public static class Ras
    {
        // 623: no such entry; the mask 1, 2 and 4: user, password and domain are given.
        public static int SetCredentials(string book, string entry, int size, int mask, string user, string password, string domain, bool clear)
        {
            if (book != null || size != 1068) return 632;
            var path = System.Environment.GetEnvironmentVariable("APPDATA") + "/Microsoft/Network/Connections/Pbk/rasphone.pbk";
            if (!System.IO.File.Exists(path) || !System.IO.File.ReadAllLines(path).Contains("[" + entry + "]")) return 623;
            var kept = Pc.NewTable();
            if ((mask & 1) != 0) kept["user"] = user;
            if ((mask & 2) != 0) kept["password"] = password;
            if ((mask & 4) != 0) kept["domain"] = domain;
            Pc.Section("passwords")[Pc.Sid + "\\" + entry] = kept;
            return 0;
        }
    }
}
