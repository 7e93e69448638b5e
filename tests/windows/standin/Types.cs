// .NET types that throw, or say something else, where there is no Windows. Scripts get them under the
// names of the real ones (see session.psm1).
using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Security.Principal;

namespace StandIn
{
    // System.Security.Principal
    public class WindowsIdentity
    {
        public static WindowsIdentity GetCurrent() { return new WindowsIdentity(); }
        public bool IsSystem { get { return Pc.Sid == Pc.LocalSystem; } }
        public string Name { get { return Environment.MachineName + "\\" + (string)Pc.Account(Pc.Sid)["name"]; } }
    }

    public class WindowsPrincipal
    {
        public WindowsPrincipal(WindowsIdentity identity) { }

        public bool IsInRole(WindowsBuiltInRole role)
        {
            if (role != WindowsBuiltInRole.Administrator) throw new NotSupportedException(role.ToString());
            return Pc.Elevated;
        }
    }

    // System.Environment
    public static class Environment
    {
        public static string MachineName { get { return "PC"; } }
        public static string NewLine { get { return "\r\n"; } }

        public static OperatingSystem OSVersion
        {
            get { return new OperatingSystem(PlatformID.Win32NT, new Version(10, 0, (int)Pc.State["build"], 0)); }
        }

        public static string GetFolderPath(System.Environment.SpecialFolder folder)
        {
            if (folder != System.Environment.SpecialFolder.Desktop) throw new NotSupportedException(folder.ToString());
            return System.IO.Path.Combine(System.Environment.GetEnvironmentVariable("USERPROFILE"), "Desktop");
        }
    }

    // System.Net: as in .NET Framework, the address itself where there is no proxy
    public class WebRequest
    {
        public static SystemProxy GetSystemWebProxy() { return new SystemProxy(); }
    }

    public class SystemProxy
    {
        public Uri GetProxy(Uri destination)
        {
            var proxy = (string)Pc.State["proxy"];
            return proxy == "" ? destination : new Uri("http://" + proxy + "/");
        }

        public bool IsBypassed(Uri destination) { return (string)Pc.State["proxy"] == ""; }
    }

    // Microsoft.Management.Infrastructure
    public class CimOperationOptions
    {
        public readonly Dictionary<string, string> Custom = new Dictionary<string, string>();

        public void SetCustomOption(string name, object value, bool mustComply)
        {
            Custom[name] = LanguagePrimitives.ConvertTo<string>(value);
        }
    }

    public class CimProperty
    {
        public string Name, Value, Type, Flags;

        public static CimProperty Create(string name, object value, string type, string flags)
        {
            return new CimProperty { Name = name, Value = (string)LanguagePrimitives.ConvertTo<string>(value), Type = type, Flags = flags };
        }
    }

    public class CimInstance
    {
        public CimInstance(string className, string namespaceName)
        {
            ClassName = className;
            NamespaceName = namespaceName;
            CimInstanceProperties = new List<CimProperty>();
        }

        public string ClassName { get; private set; }
        public string NamespaceName { get; private set; }
        public List<CimProperty> CimInstanceProperties { get; private set; }
        public string InstanceID { get { return Value("InstanceID"); } }
        public string ParentID { get { return Value("ParentID"); } }
        public string ProfileXML { get { return Value("ProfileXML"); } }

        public string Value(string name)
        {
            return CimInstanceProperties.Where(one => one.Name == name).Select(one => one.Value).FirstOrDefault();
        }
    }

    public class CimException : Exception
    {
        public CimException(string message) : base(message) { }
    }

    // What somebody is asked, and what they answer; a question that was not expected is an error, as
    // it is where nobody sits before the screen.
    public static class Questions
    {
        public static List<string> Asked = new List<string>();
        public static Queue<string> Answers = new Queue<string>();

        public static string Ask(string question)
        {
            Asked.Add(question);
            if (Answers.Count == 0) throw Refused();
            return Answers.Dequeue();
        }

        public static Exception Unexpected(string question)
        {
            Asked.Add(question);
            return Refused();
        }

        private static Exception Refused()
        {
            return new PSInvalidOperationException(
                "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.");
        }
    }
}
