using PeftGen;

namespace PeftGen.Models;

// All that is declared. The rest of the class is samples/Models/Llama, as it stands; what the compiler adds to it can be read
// in the folder that the program names at its end.
[LoRA(rank: 8, alpha: 16, targets: "q,v,o")]
[IA3(Group = "ia3")]
public partial class LlamaForCausalLM;
