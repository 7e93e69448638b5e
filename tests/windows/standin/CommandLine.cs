// How a program of Windows takes its command line apart: "Parsing C++ command-line arguments" and
// CommandLineToArgvW in Microsoft's documentation.
using System.Collections.Generic;
using System.Text;

namespace StandIn
{
    public static class CommandLine
    {
        public static string[] Split(string line)
        {
            var found = new List<string>();
            var word = new StringBuilder();
            bool quoted = false, begun = false;
            for (var at = 0; at < line.Length; at++)
            {
                if (line[at] == '\\')
                {
                    var end = at;
                    while (end < line.Length && line[end] == '\\') end++;
                    var before = end < line.Length && line[end] == '"';
                    word.Append('\\', before ? (end - at) / 2 : end - at);
                    begun = true;
                    if (before && (end - at) % 2 == 1) { word.Append('"'); end++; }
                    at = end - 1;
                }
                else if (line[at] == '"') { quoted = !quoted; begun = true; }
                else if (!quoted && (line[at] == ' ' || line[at] == '\t'))
                {
                    if (begun) found.Add(word.ToString());
                    word.Clear();
                    begun = false;
                }
                else { word.Append(line[at]); begun = true; }
            }
            if (begun) found.Add(word.ToString());
            return found.ToArray();
        }
    }
}
