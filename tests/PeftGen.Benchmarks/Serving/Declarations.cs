using PeftGen;

namespace PeftGen.Models;

[LoRA(rank: 8, alpha: 16, targets: "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj")]
[IA3(targets: "k_proj,v_proj,down_proj", feedforward: "down_proj", Group = "scales")]
[PromptTuning(length: 20, Group = "prompt")]
[PrefixTuning(length: 20, Group = "prefix")]
public partial class LlamaForCausalLM;
