using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>
/// Tells tensors apart by their memory: equal for two tensors exactly where writing one changes all of the other.
/// TorchSharp gives out the same parameter under several managed objects and handles, so that those do not tell.
/// </summary>
/// <param name="Storage">The address of the storage, on the CPU or on a device.</param>
/// <param name="Offset">Where in the storage the tensor begins, in elements.</param>
/// <param name="Layout">Sizes and strides.</param>
internal readonly record struct TensorIdentity(long Storage, long Offset, string Layout)
{
    public static TensorIdentity Of(Tensor tensor) =>
        tensor.numel() == 0
            ? new(tensor.Handle, -1, "")   // empty tensors share the null address
            : new(StorageOf<byte>.New(tensor, -1).data_ptr(), tensor.storage_offset(), $"{string.Join(",", tensor.shape)} by {string.Join(",", tensor.stride())}");

    // The public storage<T>() converts first, and so copies, where T is not the element type; half types have no T at all.
    private static class StorageOf<T> where T : unmanaged
    {
        [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
        public static extern torch.Storage<T> New(Tensor tensor, int count);
    }
}
