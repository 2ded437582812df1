using PeftGen;

namespace PeftGen.Models;

[LoRA(rank: 4, alpha: 8, targets: "q,v")]
public partial class LlamaForCausalLM;
