// The state of one PC, and who works on it. The providers and the cmdlets beside this file look here.
using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text.Json;

namespace StandIn
{
    using Table = SortedDictionary<string, object>;

    public static class Pc
    {
        public const string LocalSystem = "S-1-5-18";

        // What pc.py has written: tables, lists, texts, whole numbers and truth values. Names are
        // compared as Windows compares them: without regard to case.
        public static Table State = NewTable();

        // The account of the process that runs now, and whether it has an administrator's rights.
        public static string Sid = LocalSystem;
        public static bool Elevated;

        public static Table NewTable()
        {
            return new Table(StringComparer.OrdinalIgnoreCase);
        }

        public static Table Section(string name)
        {
            if (!State.ContainsKey(name)) State[name] = NewTable();
            return (Table)State[name];
        }

        public static Table Account(string sid)
        {
            return Section("accounts").ContainsKey(sid) ? (Table)Section("accounts")[sid] : null;
        }

        public static bool SignedIn(string sid)
        {
            var account = Account(sid);
            return account != null && account.ContainsKey("signed_in") && (bool)account["signed_in"];
        }

        public static void Load(string json)
        {
            State = (Table)Read(JsonDocument.Parse(json).RootElement);
        }

        public static string Save()
        {
            using (var buffer = new MemoryStream())
            {
                using (var writer = new Utf8JsonWriter(buffer)) Write(writer, State);
                return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
            }
        }

        private static object Read(JsonElement found)
        {
            switch (found.ValueKind)
            {
                case JsonValueKind.Object:
                    var table = NewTable();
                    foreach (var one in found.EnumerateObject()) table[one.Name] = Read(one.Value);
                    return table;
                case JsonValueKind.Array:
                    return new ArrayList(found.EnumerateArray().Select(Read).ToArray());
                case JsonValueKind.String: return found.GetString();
                case JsonValueKind.Number: return found.GetInt32();
                case JsonValueKind.True: return true;
                case JsonValueKind.False: return false;
                default: return null;
            }
        }

        private static void Write(Utf8JsonWriter writer, object value)
        {
            var wrapped = value as PSObject;
            if (wrapped != null) value = wrapped.BaseObject;
            if (value == null) writer.WriteNullValue();
            else if (value is bool) writer.WriteBooleanValue((bool)value);
            else if (value is int) writer.WriteNumberValue((int)value);
            else if (value is IDictionary) WriteTable(writer, (IDictionary)value);
            else if (value is IEnumerable && !(value is string))
            {
                writer.WriteStartArray();
                foreach (var one in (IEnumerable)value) Write(writer, one);
                writer.WriteEndArray();
            }
            else writer.WriteStringValue(value.ToString());
        }

        private static void WriteTable(Utf8JsonWriter writer, IDictionary table)
        {
            writer.WriteStartObject();
            foreach (DictionaryEntry one in table)
            {
                writer.WritePropertyName(one.Key.ToString());
                Write(writer, one.Value);
            }
            writer.WriteEndObject();
        }
    }
}
